import XCTest

@testable import SplitKit

/// Every fixture that fixtures.json lists, whatever is added to it.
final class ContractTests: XCTestCase {
    func testManifests() throws {
        for entry in try Contract.entries("manifest") {
            let data = try entry.data()
            guard entry.isAccepted else {
                assertRefused(entry.file, mentions: entry.mentions) { try ModelBundle.parse(data) }
                continue
            }
            let manifest = try ModelBundle.parse(data)
            XCTAssertEqual(manifest.bundleID, entry.bundleID, entry.file)
            XCTAssertEqual(try manifest.computeID(), entry.bundleID, entry.file)
            // writing it again gives the same manifest
            let again = try ModelBundle.parse(Data(manifest.json.text(.wire).utf8))
            XCTAssertEqual(again, manifest, entry.file)
        }
    }

    func testLatencyReports() throws {
        try check("latency") { try Report.read($0) as LatencyReport } id: { $0.bundleID }
    }

    func testDeviceParityReports() throws {
        try check("device-parity") { try Report.read($0) as DeviceParityReport } id: { $0.bundleID }
    }

    private func check<R: Record>(_ kind: String, read: (Data) throws -> R, id: (R) -> String) throws {
        for entry in try Contract.entries(kind) {
            let data = try entry.data()
            guard entry.isAccepted else {
                assertRefused(entry.file, mentions: entry.mentions) { try read(data) }
                continue
            }
            let report = try read(data)
            XCTAssertEqual(id(report), entry.bundleID, entry.file)
            XCTAssertEqual(try Report.data(report), data, "\(entry.file) is not written as it was read")
        }
    }

    func testNumbers() throws {
        for entry in try Contract.entries("numbers") {
            let rows = try JSONSerialization.jsonObject(with: entry.data()) as! [[String: String]]
            XCTAssertFalse(rows.isEmpty)
            for row in rows {
                let value = Double(row["value"]!)!
                XCTAssertEqual(try JSON.number(value).text(.report), row["report"])
                XCTAssertEqual(try JSON.number(value).text(.identity), row["id"])
            }
        }
        for value in [Double.nan, .infinity, -.infinity] {
            XCTAssertThrowsError(try JSON.number(value).text(.report))
            XCTAssertThrowsError(try JSON.number(value).text(.identity))
        }
    }

    func testGoldenTensors() throws {
        for entry in try Contract.entries("safetensors") {
            let data = try entry.data()
            guard entry.isAccepted else {
                assertRefused(entry.file, mentions: entry.mentions) { try Safetensors.parse(data, name: "the file") }
                continue
            }
            let found = try Safetensors.parse(data, name: entry.file).tensors
            let expected = entry.raw["tensors"] as! [[String: Any]]
            XCTAssertEqual(Set(found.keys), Set(expected.map { $0["name"] as! String }))
            for tensor in expected {
                let read = found[tensor["name"] as! String]!
                XCTAssertEqual(read.shape, tensor["shape"] as! [Int])
                switch read.values {
                case .float32(let values): XCTAssertEqual(values, (tensor["values"] as! [Double]).map { Float($0) })
                case .int64(let values): XCTAssertEqual(values.map(Int.init), tensor["values"] as! [Int])
                }
            }
        }
    }

    func testPercentiles() throws {
        for entry in try Contract.entries("percentiles") {
            let rows = try JSONSerialization.jsonObject(with: entry.data()) as! [[String: Any]]
            XCTAssertFalse(rows.isEmpty)
            for row in rows {
                let summary = Summary(row["values"] as! [Double])
                let found = [
                    "mean": summary.mean, "std": summary.std, "min": summary.min, "p50": summary.p50, "p90": summary.p90,
                    "p99": summary.p99,
                ]
                for (name, value) in found {
                    let expected = row[name] as! Double
                    XCTAssertEqual(value, expected, accuracy: 1e-12 * abs(expected), name)
                }
            }
        }
    }

    func testPhotos() throws {
        for entry in try Contract.entries("preprocess") { try checkPhotos(entry.data(), share: 0.999) }
        // ways that came later; most of them are tall
        try checkPhotos(Data(contentsOf: Contract.folder.appendingPathComponent("photos/modes.json")), share: 0.5)
    }

    /// Larger files than are committed: whoever wants a folder of real photos tried puts them there (test_preprocess_on_phones.py).
    func testPhotosAreThoseOfTheLibrariesThatTrained() throws {
        let folder = Contract.folder.appendingPathComponent("photos/real")
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        var count = 0
        for file in files { count += try checkPhotos(Data(contentsOf: file), share: 0) }
        print("real photos prepared: \(count)")
    }

    /// Checks every photo of a file, and how much of each is Python's to the bit; returns how many there were.
    @discardableResult
    private func checkPhotos(_ data: Data, share least: Double) throws -> Int {
        let rows = try JSONSerialization.jsonObject(with: data) as! [[String: Any]]
        XCTAssertFalse(rows.isEmpty)
        for row in rows {
            let how: Manifest.Preprocess = try Contract.record(row["preprocess"]!)
            let rgb = [UInt8](Data(base64Encoded: row["rgb"] as! String)!)
            let found = try Preprocessor(how).tensor(StoredPhoto(rgb, width: row["width"] as! Int, height: row["height"] as! Int))
            let expected = LittleEndian.floats(Data(base64Encoded: row["image"] as! String)!)
            XCTAssertEqual(found.count, expected.count)
            // some versions of Pillow resize tall photos columns first, which moves a value by one grey level at most
            let plane = how.height * how.width
            let level = how.std.map { Float(Double(how.valueRange) / 255 / $0) }
            let apart = found.indices.first { abs(found[$0] - expected[$0]) > 1.001 * level[$0 / plane] }
            if let at = apart {
                XCTFail("\(row["name"]!), value \(at): \(found[at]), expected \(expected[at]) within \(level[at / plane])")
            }
            let share = Double(zip(found, expected).filter { $0 == $1 }.count) / Double(found.count)
            // then about every fourth value of a tall photo rounds the other way
            if least > 0 {
                XCTAssertGreaterThan(share, (row["name"] as! String).contains("tall") ? 0.5 : least, row["name"] as! String)
            }
        }
        return rows.count
    }

    func testMeansThatDoNotFitTheChannelsAreRefused() throws {
        var how: Manifest.Preprocess = try Contract.record(["channels": 1, "height": 8, "width": 8, "mean": [0.5], "std": [0.5]])
        XCTAssertNoThrow(try Preprocessor(how))
        how.mean = []
        assertRefused("no means", mentions: ["means"]) { try Preprocessor(how) }
    }
}
