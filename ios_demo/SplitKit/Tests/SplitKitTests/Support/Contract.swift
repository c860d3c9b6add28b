import Foundation
import XCTest

@testable import SplitKit

/// tests/contract of this repository, which Python, Kotlin and Swift read alike; PRIPRO_CONTRACT names another folder.
enum Contract {
    static let folder = ProcessInfo.processInfo.environment["PRIPRO_CONTRACT"].map { URL(fileURLWithPath: $0) }
        ?? URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("../../../../../tests/contract").standardizedFileURL

    struct Entry {
        let raw: [String: Any]
        var file: String { raw["file"] as! String }
        var isAccepted: Bool { raw["verdict"] as! String == "accept" }
        var mentions: [String] { raw["mentions"] as? [String] ?? [] }
        var bundleID: String? { raw["bundle_id"] as? String }
        func data() throws -> Data { try Data(contentsOf: Contract.folder.appendingPathComponent(file)) }
    }

    /// A record of the schema inside a fixture.
    static func record<R: Record>(_ raw: Any) throws -> R {
        try Fields.read(JSONParser.parse(JSONSerialization.data(withJSONObject: raw)))
    }

    /// A whole file of the contract.
    static func object(_ file: String) throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appendingPathComponent(file))) as! [String: Any]
    }

    /// All entries of one kind; at least one, or the test that asks is about nothing.
    static func entries(_ kind: String) throws -> [Entry] {
        let data = try Data(contentsOf: folder.appendingPathComponent("fixtures.json"))
        let all = try JSONSerialization.jsonObject(with: data) as! [[String: Any]]
        let found = all.filter { $0["kind"] as! String == kind }.map(Entry.init)
        XCTAssertFalse(found.isEmpty, "fixtures.json lists nothing of the kind \(kind)")
        let known: Set = ["manifest", "latency", "device-parity", "safetensors", "numbers", "percentiles", "preprocess"]
        XCTAssert(Set(all.map { $0["kind"] as! String }).isSubset(of: known), "a kind of fixture that no test here reads")
        return found
    }
}

/// Checks that an error is thrown whose sentence holds each word.
func assertRefused<T>(
    _ what: String, mentions words: [String], _ read: () throws -> T, file: StaticString = #filePath, line: UInt = #line
) {
    XCTAssertThrowsError(try read(), what, file: file, line: line) { error in
        for word in words {
            XCTAssert(
                error.localizedDescription.contains(word), "\(what): \"\(error.localizedDescription)\" does not mention \(word)",
                file: file, line: line)
        }
    }
}
