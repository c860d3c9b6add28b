import XCTest

@testable import SplitKit

final class BenchTests: XCTestCase {
    private func subject(_ name: String, _ run: @escaping () async throws -> Void) -> Benchmark.Subject {
        Benchmark.Subject(
            part: .head, target: name, precision: "fp32", backend: "none", runtime: "test", threads: 1, loadMs: nil, run: run)
    }

    func testSubjectsTakeTurns() async throws {
        var order = ""
        var progress: [Int] = []
        let rows = try await Benchmark(warmups: 1, runs: 5, turn: 2).rows(of: [
            subject("a") { order += "a" }, subject("b") { order += "b" },
        ]) { done, all, summaries in
            XCTAssertEqual(all, 10)
            XCTAssertEqual(summaries().count, 2)
            progress.append(done)
        }
        XCTAssertEqual(order, "aabb" + "aabbaabbab")
        XCTAssertEqual(progress, [4, 8, 10])
        XCTAssertEqual(rows.map(\.n), [5, 5])
        XCTAssertEqual(rows[0].ratioToFirst, 1)
        XCTAssertNotNil(rows[0].peakMemoryBytes)
        // what was measured fits the published schema
        let report = LatencyReport(
            bundleID: String(repeating: "a", count: 64), device: .current, start: Condition(), end: Condition(), rows: rows)
        XCTAssertEqual(try Report.read(Report.data(report)) as LatencyReport, try Report.read(Report.data(report)))
        XCTAssertEqual((try Report.read(Report.data(report)) as LatencyReport).rows.map(\.target), ["a", "b"])
    }

    func testAnErrorEndsTheRun() async {
        struct Broken: Error {}
        do {
            _ = try await Benchmark(warmups: 0, runs: 3).rows(of: [subject("a") { throw Broken() }])
            XCTFail("the error was swallowed")
        } catch {
            XCTAssert(error is Broken)
        }
    }

    func testSlowingDownIsSaid() {
        XCTAssertEqual(Benchmark.doubt([Double](repeating: 1, count: 40)), "")
        XCTAssertEqual(
            Benchmark.doubt([Double](repeating: 2, count: 20) + [Double](repeating: 3, count: 20)),
            "slower by 50 % at the end than at the start")
    }

    func testFramesThatComeMeanwhileAreDroppedNotQueued() {
        final class Clock: @unchecked Sendable { var now = 0.0 }
        let clock = Clock()
        let rate = FrameRate { clock.now }
        XCTAssertEqual(rate.perSecond, 0)
        for _ in 0..<5 {
            XCTAssert(rate.begin())
            for _ in 0..<2 { XCTAssertFalse(rate.begin()) }
            clock.now += 0.1
            rate.end()
        }
        XCTAssertEqual([rate.done, rate.dropped], [5, 10])
        XCTAssertEqual(rate.perSecond, 10, accuracy: 1e-9)
    }
}
