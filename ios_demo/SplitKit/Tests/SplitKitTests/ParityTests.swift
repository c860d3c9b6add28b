import XCTest

@testable import SplitKit

final class ParityTests: XCTestCase {
    private func recorded() throws -> (ModelBundle, RecordedHead) {
        let bundle = try ModelBundle(at: Peer.bundle())
        let file = Peer.scratch.appendingPathComponent("recorded.safetensors")
        try Peer.run("record", bundle.root.path, file.path)
        return (bundle, try RecordedHead(file, manifest: bundle.manifest))
    }

    /// The ONNX head's real features go to the real tail; what comes back are the golden rows.
    func testRecordedFeaturesThroughTheTail() async throws {
        let (bundle, head) = try recorded()
        let rows = try bundle.golden().rows
        let server = try Peer.Running(serving: bundle.checked(bundle.manifest.tail!.archive))
        let tail = try TailClient(url: server.url, manifest: bundle.manifest, dtype: .float32)
        var seen: [ParityReplay.Comparison] = []
        let outputs = try await ParityReplay.outputs(of: rows, head: head, tail: tail) { seen.append($0) }
        XCTAssertEqual(outputs.map(\.index), [0, 1, 2])
        XCTAssert(outputs[0].runtime.hasPrefix("onnxruntime"))
        for comparison in seen {
            XCTAssertLessThan(comparison.smashedMaxAbs, 1e-5)
            XCTAssertLessThan(comparison.logitsMaxAbs!, 1e-5)
            XCTAssertEqual(comparison.sameTop1, true)
        }
        XCTAssertEqual(outputs[0].imageSHA256, SHA256.hexadecimal(of: LittleEndian.data(rows[0].image)))
        let report = DeviceParityReport(bundleID: bundle.manifest.bundleID, device: .current, outputs: outputs)
        let again: DeviceParityReport = try Report.read(Report.data(report))
        XCTAssertEqual(again.outputs.map(\.smashedBase64), outputs.map(\.smashedBase64))
        XCTAssertEqual(again.device.kind, Device.current.kind)
    }

    func testOfflineReportsHaveNoLogits() async throws {
        let (bundle, head) = try recorded()
        let outputs = try await ParityReplay.outputs(of: bundle.golden().rows, head: head, tail: nil)
        XCTAssertEqual(outputs.compactMap(\.logits).count, 0)
    }

    func testFeaturesOfAnotherBundleAreRefused() throws {
        let (bundle, _) = try recorded()
        var other = bundle.manifest
        other.bundleID = String(repeating: "0", count: 64)
        assertRefused("another bundle", mentions: ["another bundle"]) {
            try RecordedHead(Peer.scratch.appendingPathComponent("recorded.safetensors"), manifest: other)
        }
    }

    func testAProcessorThatIsWrongDoesNotPass() throws {
        let golden = try XCTUnwrap(try ModelBundle(at: Peer.bundle()).manifest.golden)
        var tolerances = golden.tolerances
        tolerances.entries = [.init(key: "fp32", value: 1e-4), .init(key: "fp16", value: 50), .init(key: "int8", value: 20)]
        let wanted: [[Float]] = [[1, -2, 3], [0.5, 2, -1]]
        func trial(_ factor: Float, _ precision: String, isExact: Bool = false) throws -> Bool {
            let found = wanted.map { $0.map { $0 * factor } }
            return try Trial(found: found, wanted: wanted, precision: precision, tolerances: tolerances, isExact: isExact).passed
        }
        XCTAssert(try trial(1, "fp32", isExact: true))
        XCTAssertFalse(try trial(1.0005, "fp32", isExact: true))
        XCTAssert(try trial(1.0005, "fp32"), "half precision is what a neural engine has")
        XCTAssertFalse(try trial(1.05, "fp32"))
        XCTAssert(try trial(1.05, "int8"))
        XCTAssertFalse(try trial(.nan, "int8"))
        XCTAssertThrowsError(try trial(1, "w4")) { XCTAssert($0 is BundleError) }
    }

    /// Codes of 0.5: a quarter away from eager torch is rounding, a whole code is a fault.
    func testHalfACodeIsRoundingAndAWholeOneIsAFault() throws {
        var manifest = try ModelBundle(at: Peer.waistBundle()).manifest
        let output = Manifest.TensorSpec(name: "smashed", dtype: .uint8, shape: [1, 3, 1, 1], scale: [0.5], zeroPoint: [128])
        manifest.heads[0].outputs = [output]
        let wanted: [[Float]] = [[1, -2, 3], [0.5, 2, -1]]
        func passes(_ off: [Float], waist: Bool) throws -> Bool {
            var manifest = manifest
            if !waist { manifest.protection?.waist = nil }
            let found = wanted.map { row in zip(row, off).map { $0 + $1 } }
            return try Trial(
                found: found, wanted: wanted, precision: "fp32", tolerances: manifest.golden!.tolerances, isExact: true,
                codes: HeadCodes(manifest.heads[0], of: manifest)
            ).passed
        }
        XCTAssert(try passes([0.2, -0.2, 0.2], waist: false))
        XCTAssertFalse(try passes([0, 0.5, 0], waist: false))
        XCTAssertFalse(try passes([0, .nan, 0], waist: false))
        XCTAssertNil(try HeadCodes(ModelBundle(at: Peer.bundle()).manifest.heads[0], of: manifest))
        // few and coarse: how many are the same; 7 levels around 3
        manifest.heads[0].outputs[0].zeroPoint = [3]
        XCTAssert(try passes([0.2, -0.2, 0.2], waist: true))
        XCTAssertFalse(try passes([-0.5, 0, 0], waist: true))
        XCTAssertFalse(try passes([0, .nan, 0], waist: true))
    }
}
