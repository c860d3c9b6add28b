import XCTest

@testable import SplitKit

/// What an app holds on to: the client, its head, compiled models, a certificate authority.
final class ClientTests: XCTestCase {
    private static let secret = DeviceSecret(bytes: Data(repeating: 5, count: 32))

    /// A gate that opens when the test says so.
    private actor Gate {
        private var isOpen = false
        private var waiting: [CheckedContinuation<Void, Never>] = []

        func open() {
            isOpen = true
            waiting.forEach { $0.resume() }
        }

        func pass() async {
            if !isOpen { await withCheckedContinuation { waiting.append($0) } }
        }
    }

    /// The picker moves while the head of the old choice is being opened.
    func testAChoiceThatChangesDuringAnAwaitKeepsTheNewOnesValue() async throws {
        let (kept, gate) = (Keyed<String, String>(), Gate())
        async let old = kept.value(for: "old") {
            await gate.pass()
            return "head of old"
        }
        try await Task.sleep(for: .milliseconds(50))
        let new = try await kept.value(for: "new") { "head of new" }
        await gate.open()
        let first = try await old
        XCTAssertEqual([first, new], ["head of old", "head of new"])
        let again = try await kept.value(for: "new") { "made again" }
        XCTAssertEqual(again, "head of new", "what came late must not take the place of what was chosen since")
    }

    func testOneThingIsMadeOnceAndAFailureIsNotKept() async throws {
        struct Broken: Error {}
        let (kept, gate) = (Keyed<String, Int>(), Gate())
        async let a = kept.value(for: "x") {
            await gate.pass()
            return 1
        }
        try await Task.sleep(for: .milliseconds(50))
        async let b = kept.value(for: "x") { 2 }
        try await Task.sleep(for: .milliseconds(50))
        await gate.open()
        let both = try await [a, b]
        XCTAssertEqual(both, [1, 1])
        do {
            _ = try await kept.value(for: "y") { throw Broken() }
            XCTFail("the failure was swallowed")
        } catch {}
        let repaired = try await kept.value(for: "y") { 3 }
        XCTAssertEqual(repaired, 3)
    }

    /// Gives a golden row's features for its image: no runtime for heads exists on this system.
    private final class Golden: HeadRunner {
        let runtime = "golden"
        private let rows: [GoldenRows.Row]
        init(_ rows: [GoldenRows.Row]) { self.rows = rows }
        func smashed(image: [Float], eps: [Float]) throws -> [Float] { rows[0].smashed }
    }

    func testOnePhotosWholeWayThroughTheRealTail() async throws {
        let bundle = try ModelBundle(at: Peer.bundle())
        let rows = try bundle.golden().rows
        let server = try Peer.Running(serving: bundle.checked(bundle.manifest.tail!.archive))
        let slow = HeadRuntime(accepts: { $0.target == "onnx" }) { _, _ in
            try await Task.sleep(for: .milliseconds(20))
            return Golden(rows)
        }
        let client = try SplitClient(
            bundle: bundle, tail: server.url.absoluteString, runtimes: [slow], options: .init(encoding: .float32, secret: Self.secret))
        let answer = try await client.classify(StoredPhoto([UInt8](repeating: 7, count: 3 * 20 * 10), width: 20, height: 10))
        for (found, expected) in zip(answer.logits, rows[0].logits) { XCTAssertEqual(found, expected, accuracy: 1e-5) }
        XCTAssertEqual(answer.classification.choices.count, 5)
        XCTAssertGreaterThan(answer.roundTripMs, answer.tailMs ?? 0)
        let report = try await client.parity(withTail: true)
        XCTAssertEqual(report.outputs.count, rows.count)
        let timed = try await client.benchmark(runs: 3, withTail: true)
        XCTAssertEqual(timed.map(\.part), [.head, .total])
        XCTAssertGreaterThanOrEqual(timed[0].loadMs ?? 0, 20)
    }

    /// A file is hashed and compiled once; neither is part of a load's time.
    func testPreparingAFileIsNotItsLoad() async throws {
        let bundle = try ModelBundle(at: Peer.bundle())
        let rows = try bundle.golden().rows
        let runtime = HeadRuntime(
            accepts: { $0.target == "onnx" },
            prepare: { head, bundle in
                try await Task.sleep(for: .milliseconds(300))
                return try bundle.checkedEntry(of: head)
            },
            load: { _, _ in Golden(rows) })
        let client = try SplitClient(bundle: bundle, tail: nil, runtimes: [runtime], options: .init(secret: Self.secret))
        let load = try await client.benchmark(runs: 2)[0].loadMs
        XCTAssertLessThan(try XCTUnwrap(load), 250)
    }

    func testAClientIsRefusedWhatItCannotDo() async throws {
        let bundle = try ModelBundle(at: Peer.bundle())
        let onnx = HeadRuntime(accepts: { $0.target == "onnx" }) { _, _ in Golden([]) }
        assertRefused("no runtime", mentions: ["no head"]) { try SplitClient(bundle: bundle, tail: nil, runtimes: []) }
        assertRefused("another head", mentions: ["coreml fp16"]) {
            try SplitClient(bundle: bundle, tail: nil, runtimes: [onnx], options: .init(head: "coreml fp16"))
        }
        assertRefused("a public tail without TLS", mentions: ["encrypted"]) {
            try SplitClient(bundle: bundle, tail: "http://tail.example.org", runtimes: [onnx])
        }
    }

    func testNothingIsSortedBetweenTwoRunsUnlessSomebodyLooks() async throws {
        final class Counter: @unchecked Sendable { var sorted = 0 }
        let counter = Counter()
        var (looks, turns) = (0, 0)
        let subject = Benchmark.Subject(
            part: .head, target: "a", precision: "fp32", backend: "none", runtime: "test", threads: 1, loadMs: nil, run: {})
        var benchmark = Benchmark(warmups: 0, runs: 20, turn: 5)
        benchmark.describe = { samples in
            counter.sorted += 1
            return Summary(samples)
        }
        _ = try await benchmark.rows(of: [subject]) { done, _, summaries in
            turns += 1
            if done == 10 { looks += summaries()[0].n }
        }
        XCTAssertEqual([looks, turns, counter.sorted], [10, 4, 1])
    }

    func testAModelIsCompiledOnceForASystem() async throws {
        let folder = Peer.scratch.appendingPathComponent("compiled-\(UUID().uuidString)")
        let head = try ModelBundle(at: Peer.bundle()).manifest.heads[0]
        let models = CompiledModels(in: folder)
        var count = 0
        func compile() throws -> URL {
            count += 1
            let made = Peer.scratch.appendingPathComponent("made-\(UUID().uuidString)", isDirectory: true)
            try FileManager.default.createDirectory(at: made, withIntermediateDirectories: true)
            try Data("\(count)".utf8).write(to: made.appendingPathComponent("model"))
            return made
        }
        let first = try await models.model(of: head, system: "1") { try compile() }
        let again = try await models.model(of: head, system: "1") { try compile() }
        let other = try await models.model(of: head, system: "2") { try compile() }
        XCTAssertEqual(first, again)
        XCTAssertNotEqual(first, other)
        XCTAssertEqual(count, 2)
        XCTAssertEqual(try String(contentsOf: first.appendingPathComponent("model"), encoding: .utf8), "1")
    }

    func testAnAuthorityIsReadFromItsFile() throws {
        let der = Data((0..<100).map { UInt8($0) })
        let pem = "-----BEGIN CERTIFICATE-----\n\(der.base64EncodedString(options: .lineLength64Characters))\n-----END CERTIFICATE-----\n"
        XCTAssertEqual(try OwnAuthority(pem: Data((pem + pem).utf8)).certificates, [der, der])
        for text in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"] {
            XCTAssertThrowsError(try OwnAuthority(pem: Data(text.utf8)), text) { XCTAssert($0 is TailError) }
        }
        #if !canImport(Security)
            let bundle = try ModelBundle(at: Peer.bundle())
            let options = TailClient.Options(authority: try OwnAuthority(pem: Data(pem.utf8)))
            assertRefused("an authority here", mentions: ["Apple"]) {
                try TailClient(url: URL(string: "https://tail.example.org")!, manifest: bundle.manifest, options: options)
            }
        #endif
    }
}
