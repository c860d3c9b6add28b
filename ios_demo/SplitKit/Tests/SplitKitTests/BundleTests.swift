import XCTest

@testable import SplitKit

final class BundleTests: XCTestCase {
    /// A copy that a test may damage.
    private func copy() throws -> URL {
        let url = Peer.scratch.appendingPathComponent(UUID().uuidString)
        try FileManager.default.copyItem(at: Peer.bundle(), to: url)
        return url
    }

    func testARealBundleIsRead() throws {
        let bundle = try ModelBundle(at: Peer.bundle())
        XCTAssertEqual(bundle.manifest.labels[3], "digit 3")
        XCTAssertEqual(try bundle.manifest.epsCount(), 64)
        XCTAssertEqual(try bundle.checkedEntry(of: bundle.manifest.heads[0]).lastPathComponent, "head.onnx")
        let rows = try bundle.golden().rows
        XCTAssertEqual(rows.map(\.index), [0, 1, 2])
        XCTAssertNotEqual(rows[0].eps, rows[0].otherEps)
        for row in rows {
            XCTAssertEqual(row.label, row.logits.indices.max { row.logits[$0] < row.logits[$1] })
        }
    }

    func testNoBundle() {
        assertRefused("an empty folder", mentions: ["is not a bundle", "pripro demo-app"]) {
            try ModelBundle(at: URL(fileURLWithPath: "/nonexistent"))
        }
    }

    func testAChangedFileIsNotOpened() throws {
        let root = try copy()
        let file = root.appendingPathComponent("head/onnx/0/head.onnx")
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: file)
        let bundle = try ModelBundle(at: root)
        assertRefused("a flipped bit", mentions: ["head.onnx", "was changed"]) {
            try bundle.checkedEntry(of: bundle.manifest.heads[0])
        }
        try FileManager.default.removeItem(at: file)
        XCTAssertFalse(bundle.isPresent(bundle.manifest.heads[0]))
        assertRefused("a lost file", mentions: ["head.onnx", "is missing"]) {
            try bundle.checkedEntry(of: bundle.manifest.heads[0])
        }
    }

    /// A runtime opens a whole .mlpackage folder, so nothing may lie in it that was not checked.
    func testAStrangerInAHeadsFolderIsNoticed() throws {
        let root = try copy()
        var manifest = try ModelBundle(at: root).manifest
        manifest.heads[0].entry = "head/onnx/0"
        try Data(manifest.json.text(.identity).utf8).write(to: root.appendingPathComponent("manifest.json"))
        let bundle = try ModelBundle(at: root)
        XCTAssertNoThrow(try bundle.checkedEntry(of: bundle.manifest.heads[0]))
        try Data("x".utf8).write(to: root.appendingPathComponent("head/onnx/0/extra.bin"))
        assertRefused("a stranger", mentions: ["extra.bin", "not in the manifest"]) {
            try bundle.checkedEntry(of: bundle.manifest.heads[0])
        }
    }

    func testGoldensOfAnotherShapeAreRefused() throws {
        let bundle = try ModelBundle(at: Peer.bundle())
        var manifest = bundle.manifest
        manifest.split.crossing[0].shape = [-1, 4, 4, 5]
        assertRefused("another shape", mentions: ["smashed", "pripro package"]) {
            let golden = manifest.golden!
            return try GoldenRows(
                inputs: Safetensors.read(bundle.checked(golden.inputs)),
                expected: Safetensors.read(bundle.checked(golden.expected)), manifest: manifest)
        }
    }
}
