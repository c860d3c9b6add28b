import XCTest

@testable import SplitKit

/// A bundle of everything that schema 2 has: photo -> noise of the goldens' secret -> a real head behind a waist -> coded message ->
/// the served tail -> the task's answer.
final class CodedTests: XCTestCase {
    func testCodedMessagesUnderMemoisedNoiseGetTheGoldenAnswers() async throws {
        let bundle = try ModelBundle(at: Peer.waistBundle())
        let rows = try bundle.golden().rows
        let golden = try XCTUnwrap(bundle.manifest.golden)
        let messages = try read(messages: bundle.checked(XCTUnwrap(golden.messages)))
        let server = try Peer.Running(serving: bundle.checked(bundle.manifest.tail!.archive))
        let onnx = HeadRuntime(accepts: { $0.target == "onnx" }) { head, file in try Peer.Head(head, file: file) }
        let secret = DeviceSecret(bytes: Hexadecimal.bytes(try XCTUnwrap(golden.secretHex)))
        let client = try SplitClient(bundle: bundle, tail: server.url.absoluteString, runtimes: [onnx], options: .init(secret: secret))
        let photos = try Data(contentsOf: bundle.root.appendingPathComponent("photos.rgb"))
        let how = bundle.manifest.preprocess
        let size = 3 * how.width * how.height
        XCTAssertEqual(photos.count, size * rows.count)
        let coded = try CodedEncoding(bundle.manifest.smashed(), coding: XCTUnwrap(bundle.manifest.tail?.coding))
        for row in rows {
            let bytes = [UInt8](photos[(row.index * size)..<((row.index + 1) * size)])
            let features = try await client.protect(StoredPhoto(bytes, width: how.width, height: how.height))
            // equal to the last bit only if the photo, its noise and the head's codes are those of the goldens
            XCTAssertEqual(features.smashed, row.smashed)
            let request = try InferRequest(smashed: features.smashed, encoding: coded, bundleID: bundle.manifest.bundleID)
            let message = try XCTUnwrap(messages["message_\(row.index)"])
            XCTAssertEqual(Data(request.body.suffix(message.count)), message)
            let answer = try await client.ask(features)
            XCTAssertEqual(answer.bytesSent, request.body.count)
            for (found, expected) in zip(answer.logits, row.logits) { XCTAssertEqual(found, expected, accuracy: 1e-5) }
            XCTAssertEqual(answer.outputs.map(\.spec.name), ["mask", "vector"])
            guard case .segments(let found) = answer.reading else { return XCTFail("the task is to segment") }
            let mask = Output(spec: answer.outputs[0].spec, values: Array(row.logits.prefix(48)))
            XCTAssertEqual(found, Segments(mask, threshold: 0, labels: bundle.manifest.labels))
            XCTAssertEqual(answer.classification.choices, [])
        }
        // the same photo again is the same message
        let first = [UInt8](photos.prefix(size))
        let once = try await client.protect(StoredPhoto(first, width: 8, height: 8))
        let again = try await client.protect(StoredPhoto(first, width: 8, height: 8))
        XCTAssertEqual(once.smashed, again.smashed)
        let report = try await client.parity(withTail: true) { XCTAssertNil($0.sameTop1) }
        XCTAssertEqual(report.outputs.count, rows.count)
        let trial = try await client.trial(isExact: true)
        XCTAssert(trial.passed, trial.says)
        XCTAssert(trial.says.hasPrefix("100.0 % of the codes"), trial.says)
    }

    /// Messages are bytes of any length, which the library's own reader of golden tensors does not know.
    private func read(messages file: URL) throws -> [String: Data] {
        let data = try Data(contentsOf: file)
        let length = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        let header = try JSONSerialization.jsonObject(with: data[8..<(8 + length)]) as! [String: [String: Any]]
        return header.mapValues { entry in
            let at = entry["data_offsets"] as! [Int]
            return Data(data[(8 + length + at[0])..<(8 + length + at[1])])
        }
    }
}
