import XCTest

@testable import SplitKit

/// tests/contract/answers: what toolkit/tasks makes of an answer in Python.
final class ReadingTests: XCTestCase {
    private func floats(_ raw: Any?) -> [Float] { (raw as! [Any]).map { ($0 as! NSNumber).floatValue } }

    private func spec(_ name: String, _ shape: [Int]) -> Manifest.TensorSpec {
        Manifest.TensorSpec(name: name, dtype: .float32, shape: [-1] + shape)
    }

    private func reading(_ row: [String: Any]) throws -> Reading {
        let specs = (row["outputs"] as! [[String: Any]]).map { spec($0["name"] as! String, $0["shape"] as! [Int]) }
        var settings = OrderedMap<Double>()
        for (key, value) in row["settings"] as! [String: NSNumber] { settings.entries.append(.init(key: key, value: value.doubleValue)) }
        return Reading(
            try Output.apart(floats(row["answer"]), specs),
            task: Manifest.Task(name: row["task"] as! String, metric: "", guessed: false, settings: settings),
            labels: row["labels"] as! [String])
    }

    func testEveryTaskReadsWhatPythonReads() throws {
        let data = try Data(contentsOf: Contract.folder.appendingPathComponent("answers/cases.json"))
        let rows = try JSONSerialization.jsonObject(with: data) as! [[String: Any]]
        for row in rows {
            let expected = row["expected"] as! [String: Any]
            let (found, what) = (try reading(row), "\(row["task"]!) \(row["settings"]!)")
            XCTAssertFalse(found.lines.isEmpty, what)
            switch found {
            case .classes(let classes):
                XCTAssertEqual(classes.choices.map(\.index), expected["top"] as! [Int], what)
                for (mine, wanted) in zip(classes.choices, floats(expected["probabilities"])) {
                    XCTAssertEqual(mine.probability, wanted, accuracy: 1e-6, what)
                }
            case .labels(let present, _): XCTAssertEqual(present.map(\.index), expected["present"] as! [Int], what)
            case .embedding(let unit):
                let wanted = floats(expected["unit"])
                XCTAssertEqual(unit.count, wanted.count)
                for (mine, wanted) in zip(unit, wanted) { XCTAssertEqual(mine, wanted, accuracy: 1e-6, what) }
            case .segments(let segments):
                XCTAssertEqual(segments.classes, expected["classes"] as! [Int], what)
                XCTAssertEqual([segments.height, segments.width], expected["size"] as! [Int], what)
                XCTAssertEqual(segments.shares.reduce(0) { $0 + $1.share }, 1, accuracy: 1e-9)
                XCTAssertEqual(segments.rgbx.count, 4 * segments.classes.count)
            case .peaks(let points, _, _): XCTAssertEqual(points.map { [$0.row, $0.column] }, expected["peaks"] as! [[Int]], what)
            case .numbers(let outputs): XCTAssertEqual(outputs.map(\.values), (expected["numbers"] as! [Any]).map { floats($0) }, what)
            }
        }
        XCTAssertEqual(
            Set(rows.map { $0["task"] as! String }), ["classify", "multilabel", "embed", "segment", "heatmaps", "regress", "any"])
    }

    func testAnAnswerOfAnotherSizeIsRefused() throws {
        let specs = [spec("a", [2]), spec("b", [3])]
        XCTAssertEqual(try Output.apart([1, 2, 3, 4, 5], specs).map(\.values), [[1, 2], [3, 4, 5]])
        assertRefused("too few", mentions: ["4 values"]) { try Output.apart([1, 2, 3, 4], specs) }
    }

    func testTwoEmbeddingsHaveACosine() {
        XCTAssertEqual(Reading.embedding([0.6, 0.8]).cosine(.embedding([0.8, 0.6]))!, 0.96, accuracy: 1e-6)
        XCTAssertNil(Reading.embedding([1]).cosine(.numbers([])))
    }

    /// The first colours of PASCAL VOC.
    func testAMaskHasOneColourForEachClass() {
        XCTAssertEqual((0..<5).map(Segments.colour), [0x000000, 0x800000, 0x008000, 0x808000, 0x000080])
        XCTAssertEqual(Set((0..<256).map(Segments.colour)).count, 256)
    }
}
