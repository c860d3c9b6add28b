import XCTest

@testable import SplitKit

final class PhotoTests: XCTestCase {
    func testEveryOrientationOfACameraIsTurnedUprightAsPillowDoes() throws {
        for row in try Contract.object("photos/photos.json")["turns"] as! [[String: Any]] {
            let stored = [UInt8](Data(base64Encoded: row["stored_rgb"] as! String)!)
            let upright = [UInt8](Data(base64Encoded: row["rgb"] as! String)!)
            for pixelBytes in [3, 4] {
                let bytes = stride(from: 0, to: stored.count, by: 3).flatMap {
                    stored[$0..<$0 + 3] + [UInt8](repeating: 99, count: pixelBytes - 3)
                }
                let photo = StoredPhoto(
                    bytes, width: row["stored_width"] as! Int, height: row["stored_height"] as! Int, pixelBytes: pixelBytes,
                    orientation: Orientation(exif: row["orientation"] as! Int))
                XCTAssertEqual([photo.width, photo.height], [row["width"] as! Int, row["height"] as! Int])
                var found: [UInt8] = []
                for y in 0..<photo.height {
                    var rgb = [UInt8](repeating: 0, count: 3 * photo.width)
                    rgb.withUnsafeMutableBufferPointer { photo.row(y, into: $0) }
                    found += rgb
                }
                XCTAssertEqual(found, upright, "orientation \(row["orientation"]!)")
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
        let data = try Data(contentsOf: Contract.folder.appendingPathComponent("phone/addresses.json"))
        for row in try JSONSerialization.jsonObject(with: data) as! [[String: Any]] {
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
