import XCTest

@testable import SplitKit

final class HeadTests: XCTestCase {
    func testClassification() {
        let found = Classification(logits: [0, 2, 1, 2], labels: ["a", "b", "c"], count: 3)
        XCTAssertEqual(found.choices.map(\.label), ["b", "class 3", "c"])
        let total = 1 + 2 * exp(2.0) + exp(1.0)
        XCTAssertEqual(Double(found.choices[0].probability), exp(2.0) / total, accuracy: 1e-6)
        XCTAssertEqual(Classification(logits: [1000, 0], labels: []).choices[0].probability, 1)
    }

    func testMosaic() {
        let picture = FeatureMosaic(smashed: [0, 1, 2, 4, 5, 5, 5, 5], shape: [2, 2, 2])
        XCTAssertEqual([picture.width, picture.height], [5, 2])
        XCTAssertEqual(picture.grey, [0, 64, 0, 0, 0, 128, 255, 0, 0, 0])
    }

    private final class Recorder: HeadRunner {
        let runtime = "recorder"
        var seen: [[Float]] = []
        func smashed(image: [Float], eps: [Float]) -> [Float] {
            seen.append(eps)
            return image
        }
    }

    func testProtectedHeadDrawsAnewForEachCall() throws {
        let recorder = Recorder()
        let head = ProtectedHead(recorder, epsCount: 64)
        _ = try head.smashed(image: [1])
        _ = try head.smashed(image: [1])
        XCTAssertEqual(recorder.seen.map(\.count), [64, 64])
        XCTAssertNotEqual(recorder.seen[0], recorder.seen[1])
        XCTAssertEqual(try ProtectedHead(recorder, epsCount: 0).smashed(image: [2]), [2])
        XCTAssertEqual(recorder.seen[2], [])
    }

    func testUsedNoiseIsWiped() throws {
        let head = ProtectedHead(Recorder(), epsCount: 64)
        _ = try head.smashed(image: [1])
        XCTAssertEqual(head.eps, [Float](repeating: 0, count: 64))
    }

    func testAUsedKeystreamIsWiped() throws {
        let noise = NoiseSource()
        var buffer = [Float](repeating: 0, count: 64)
        try noise.fill(&buffer)
        XCTAssertNotEqual(buffer, [Float](repeating: 0, count: 64))
        XCTAssert(UnsafeBufferPointer(start: noise.keystream, count: Keystream.words).allSatisfy { $0 == 0 })
    }
}
