import XCTest

@testable import SplitKit

final class PhotoTests: XCTestCase {
    private func cases(_ file: String) throws -> [[String: Any]] {
        let data = try Data(contentsOf: Contract.folder.appendingPathComponent("phone/\(file)"))
        return try JSONSerialization.jsonObject(with: data) as! [[String: Any]]
    }

    private func picture(_ raw: Any?) -> (width: Int, height: Int, pixels: [UInt8]) {
        let of = raw as! [String: Any]
        return (of["width"] as! Int, of["height"] as! Int, (of["pixels"] as! [Int]).map { UInt8($0) })
    }

    func testEveryOrientationOfACameraIsTurnedUprightAsPillowDoes() throws {
        for row in try cases("orientations.json") {
            let (stored, upright) = (picture(row["stored"]), picture(row["upright"]))
            for pixelBytes in [3, 4] {
                let bytes = stored.pixels.flatMap { [UInt8](repeating: $0, count: 3) + [UInt8](repeating: 99, count: pixelBytes - 3) }
                let photo = StoredPhoto(
                    bytes, width: stored.width, height: stored.height, pixelBytes: pixelBytes,
                    orientation: Orientation(exif: row["orientation"] as! Int))
                XCTAssertEqual([photo.width, photo.height], [upright.width, upright.height])
                var found: [UInt8] = []
                for y in 0..<photo.height {
                    var rgb = [UInt8](repeating: 0, count: 3 * photo.width)
                    rgb.withUnsafeMutableBufferPointer { photo.row(y, into: $0) }
                    found += stride(from: 0, to: rgb.count, by: 3).map { rgb[$0] }
                }
                XCTAssertEqual(found, upright.pixels, "orientation \(row["orientation"]!)")
            }
        }
    }

    func testACamerasBlueFirstPixelsAreTheSamePhoto() {
        let photo = StoredPhoto([1, 2, 3, 9, 4, 5, 6, 9], width: 2, height: 1, pixelBytes: 4, isBlueFirst: true)
        var rgb = [UInt8](repeating: 0, count: 6)
        rgb.withUnsafeMutableBufferPointer { photo.row(0, into: $0) }
        XCTAssertEqual(rgb, [3, 2, 1, 6, 5, 4])
    }

    func testFeaturesGoInTheClearToThisDeviceAndToListedPrivateHostsOnly() throws {
        for row in try cases("addresses.json") {
            let (url, listed) = (row["url"] as! String, Set(row["listed"] as! [String]))
            if row["verdict"] as! String == "accept" {
                XCTAssertNoThrow(try TailAddress.check(url, cleartextHosts: listed), url)
            } else {
                XCTAssertThrowsError(try TailAddress.check(url, cleartextHosts: listed), "\(url) with \(listed)") {
                    XCTAssert($0 is TailError)
                }
            }
        }
    }
}
