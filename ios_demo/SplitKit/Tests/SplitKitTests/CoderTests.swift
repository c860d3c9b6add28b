import XCTest

@testable import SplitKit

/// rans-1, byte for byte: tests/contract/coder.
final class CoderTests: XCTestCase {
    private func cases(_ list: String) throws -> [[String: Any]] {
        let found = try Contract.object("coder/cases.json")[list] as! [[String: Any]]
        XCTAssertFalse(found.isEmpty)
        return found
    }

    private func coder(_ raw: [String: Any]) throws -> RANSCoder {
        let (shape, isLast) = (raw["shape"] as! [Int], raw["layout"] as! String != "NCHW")
        let channels = isLast ? shape.last! : shape[0]
        return try RANSCoder(
            Contract.record(raw["coding"]!), positions: shape.reduce(1, *) / channels, isChannelLast: isLast)
    }

    private func hex(_ raw: Any?) -> Data { Hexadecimal.bytes(raw as! String) }

    func testMessages() throws {
        for raw in try cases("messages") {
            let coder = try coder(raw)
            XCTAssertEqual(try coder.encode([UInt8](hex(raw["codes"]))), hex(raw["message"]), raw["name"] as! String)
            XCTAssertEqual(try coder.decode(hex(raw["message"])), [UInt8](hex(raw["decoded"])), raw["name"] as! String)
        }
    }

    func testWhatIsNoMessageIsRefused() throws {
        for raw in try cases("refused") {
            let coder = try coder(raw)
            XCTAssertThrowsError(try coder.decode(hex(raw["message"])), raw["name"] as! String) { XCTAssert($0 is WireError) }
        }
    }

    func testWhatIsNoCodingIsRefused() throws {
        for raw in try cases("refused_codings") {
            XCTAssertThrowsError(try RANSCoder.check(Contract.record(raw["coding"]!)), raw["name"] as! String)
        }
    }

    func testAPadThatNoMessageFitsIsRefused() throws {
        let raw = try XCTUnwrap(try cases("messages").first { $0["name"] as! String == "real-size" })
        var coding: Manifest.Coding = try Contract.record(raw["coding"]!)
        coding.padBytes = 3
        XCTAssertThrowsError(try RANSCoder(coding, positions: 64, isChannelLast: false)) { XCTAssert($0 is WireError) }
    }
}
