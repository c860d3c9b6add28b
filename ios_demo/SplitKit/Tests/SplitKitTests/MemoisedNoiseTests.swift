import XCTest

@testable import SplitKit

/// pripro-eps-1, bit for bit: tests/contract/noise.
final class MemoisedNoiseTests: XCTestCase {
    private func cases(_ list: String) throws -> [[String: Any]] {
        let found = try Contract.object("noise/cases.json")[list] as! [[String: Any]]
        XCTAssertFalse(found.isEmpty)
        return found
    }

    private func double(_ raw: Any?) -> Double { Double(bitPattern: UInt64(raw as! String, radix: 16)!) }

    private func sha256(_ doubles: [UInt64]) -> String {
        SHA256.hexadecimal(of: doubles.flatMap { value in withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) } })
    }

    private func key(_ raw: Any?) -> SIMD8<UInt32> { NoiseKeys.words(Hexadecimal.bytes(raw as! String)) }

    func testTheLogarithmAndTheLayers() throws {
        for row in try cases("logarithms") { XCTAssertEqual(Ziggurat.ln(double(row["x"])).bitPattern, double(row["ln"]).bitPattern) }
        let tables = try Contract.object("noise/cases.json")["tables"] as! [String: Any]
        for (name, found) in [("edge", Ziggurat.shared.edges), ("density", Ziggurat.shared.densities)] {
            for (index, value) in tables[name] as! [String: String] {
                XCTAssertEqual(found[Int(index)!].bitPattern, double(value).bitPattern, "\(name) \(index)")
            }
            XCTAssertEqual(sha256(found.map(\.bitPattern)), tables["\(name)_sha256"] as? String)
        }
    }

    func testTheKeyStreamIsThatOfRFC8439() throws {
        let memory = UnsafeMutablePointer<UInt32>.allocate(capacity: Keystream.words)
        defer { memory.deallocate() }
        for row in try cases("key_streams") {
            var stream = Keystream(key: key(row["key"]), tensor: UInt32(row["tensor"] as! Int), memory: memory)
            let words = (0..<(row["count"] as! Int)).map { _ in stream.next() }
            XCTAssertEqual(Array(words.prefix(10)), (row["words"] as! [String]).map { UInt64($0, radix: 16)! })
            XCTAssertEqual(sha256(words), row["sha256"] as? String)
        }
    }

    func testTheNumbers() throws {
        for row in try cases("normals") {
            let chosen = key(row["key"])
            try check(row, NoiseKeys { _ in chosen }, image: [], tensor: row["tensor"] as! Int)
        }
    }

    func testAPhotosNoise() throws {
        for row in try cases("photos") {
            let image = LittleEndian.floats(Hexadecimal.bytes(row["image"] as! String))
            let secret = DeviceSecret(bytes: Hexadecimal.bytes(row["secret"] as! String))
            let keys = NoiseKeys.memoised(secret: secret, bundleID: row["bundle_id"] as! String)
            XCTAssertEqual(try keys.key(image), key(row["key"]))
            for (tensor, eps) in (row["eps"] as! [[String: Any]]).enumerated() { try check(eps, keys, image: image, tensor: tensor) }
        }
    }

    func testAnotherPhotoDeviceOrBundleIsOtherNoise() throws {
        func noise(_ secret: UInt8, _ id: String, _ image: [Float]) throws -> [Float] {
            var buffer = [Float](repeating: 0, count: 100)
            let keys = NoiseKeys.memoised(secret: DeviceSecret(bytes: Data(repeating: secret, count: 32)), bundleID: id)
            try NoiseSource(keys: keys).fill(&buffer, image: image)
            return buffer
        }
        let (a, b) = (String(repeating: "ab", count: 32), String(repeating: "ac", count: 32))
        let first = try noise(1, a, [1, 2])
        XCTAssertEqual(first, try noise(1, a, [1, 2]))
        for other in [try noise(1, a, [1, 3]), try noise(2, a, [1, 2]), try noise(1, b, [1, 2])] { XCTAssertNotEqual(first, other) }
    }

    func testMemoisedNoiseNeedsASecret() throws {
        var manifest = try ModelBundle(at: Peer.bundle()).manifest
        manifest.protection?.noise = .memoised
        assertRefused("no secret", mentions: ["secret"]) { try NoiseKeys.of(manifest, secret: nil) }
        XCTAssertNoThrow(try NoiseKeys.of(manifest, secret: DeviceSecret(bytes: Data(count: 32))))
        manifest.protection?.noise = .fresh
        XCTAssertNoThrow(try NoiseKeys.of(manifest, secret: nil))
    }

    /// RFC 4231, test cases 2 and 6.
    func testHMAC() {
        let short = HMACSHA256.code(of: Data("what do ya want for nothing?".utf8), key: Data("Jefe".utf8))
        XCTAssertEqual(short, Hexadecimal.bytes("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"))
        let long = HMACSHA256.code(
            of: Data("Test Using Larger Than Block-Size Key - Hash Key First".utf8), key: Data(repeating: 0xAA, count: 131))
        XCTAssertEqual(long, Hexadecimal.bytes("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"))
    }

    private func check(_ row: [String: Any], _ keys: NoiseKeys, image: [Float], tensor: Int) throws {
        var found = [Float](repeating: 0, count: row["count"] as! Int)
        try NoiseSource(keys: keys).fill(&found, image: image, tensor: tensor)
        let first = (row["first"] as! [String]).map { Float(bitPattern: UInt32($0, radix: 16)!) }
        XCTAssertEqual(Array(found.prefix(first.count)), first)
        XCTAssertEqual(SHA256.hexadecimal(of: LittleEndian.data(found)), row["sha256"] as? String)
    }
}
