import XCTest

@testable import SplitKit

/// The client against the real server, and against that server behind a network that misbehaves.
final class TailClientTests: XCTestCase {
    private var bundle: ModelBundle!
    private var rows: [GoldenRows.Row] = []

    override func setUpWithError() throws {
        bundle = try ModelBundle(at: Peer.bundle())
        rows = try bundle.golden().rows
    }

    private func serve(_ options: String...) throws -> Peer.Running {
        try serve(bundle.checked(bundle.manifest.tail!.archive), options)
    }

    private func serve(_ archive: URL, _ options: [String]) throws -> Peer.Running {
        switch options.count {
        case 0: try Peer.Running(serving: archive)
        case 2: try Peer.Running(serving: archive, options[0], options[1])
        default: try Peer.Running(serving: archive, options[0], options[1], options[2], options[3])
        }
    }

    private func client(
        _ url: URL, manifest: Manifest? = nil, dtype: Manifest.TensorSpec.DType = .float32, options: TailClient.Options = .init()
    ) throws -> TailClient {
        try TailClient(url: url, manifest: manifest ?? bundle.manifest, dtype: dtype, options: options)
    }

    private func assertFails(
        with expected: TailError, _ client: TailClient, file: StaticString = #filePath, line: UInt = #line
    ) async {
        do {
            _ = try await client.logits(for: rows[0].smashed)
            XCTFail("expected \(expected)", file: file, line: line)
        } catch {
            XCTAssertEqual(error as? TailError, expected, "\(error)", file: file, line: line)
        }
    }

    private func assertUnreachable(_ client: TailClient, file: StaticString = #filePath, line: UInt = #line) async {
        do {
            _ = try await client.logits(for: rows[0].smashed)
            XCTFail("expected an unreachable tail", file: file, line: line)
        } catch TailError.unreachable {
        } catch {
            XCTFail("expected an unreachable tail, got \(error)", file: file, line: line)
        }
    }

    func testLogitsAreTheGoldenOnes() async throws {
        let server = try serve()
        let client = try client(server.url)
        for row in rows {
            let answer = try await client.logits(for: row.smashed)
            XCTAssertEqual(answer.logits.count, 1)
            XCTAssertEqual(answer.attempts, 1)
            let tail = try XCTUnwrap(answer.tailMilliseconds, "the tail did not say how long it worked")
            XCTAssert(tail > 0 && tail < answer.milliseconds, "\(tail) of \(answer.milliseconds) ms")
            for (found, expected) in zip(answer.logits[0], row.logits) { XCTAssertEqual(found, expected, accuracy: 1e-5) }
        }
        let all = try await client.logits(for: rows.flatMap(\.smashed))
        XCTAssertEqual(all.logits.count, rows.count)
        XCTAssertEqual(all.logits[2].count, 10)
        let ping = try await client.ping()
        XCTAssertGreaterThan(ping, 0)
    }

    func testServerTiming() {
        XCTAssertEqual(ServerTiming.milliseconds("tail;dur=1.25"), 1.25)
        XCTAssertEqual(ServerTiming.milliseconds("queue;desc=\"x\";dur=1, run; dur=2.5"), 3.5)
        XCTAssertNil(ServerTiming.milliseconds("cache"))
        XCTAssertNil(ServerTiming.milliseconds("a;dur=nan"))
    }

    func testEveryEncodingIsUnderstood() async throws {
        let server = try serve()
        for (dtype, tolerance) in [(Manifest.TensorSpec.DType.float16, Float(5e-3)), (.uint8, 0.2)] {
            let client = try client(server.url, dtype: dtype)
            let answer = try await client.logits(for: rows[0].smashed)
            // the tail must have computed on exactly the features that these bytes stand for
            guard case .plain(let encoding) = client.encoding else { return XCTFail("\(dtype) is not coded") }
            let sent = try encoding.decode(encoding.encode(rows[0].smashed))
            let plain = try await self.client(server.url).logits(for: sent)
            for (found, expected) in zip(answer.logits[0], plain.logits[0]) { XCTAssertEqual(found, expected, accuracy: 1e-5) }
            for (found, expected) in zip(answer.logits[0], rows[0].logits) {
                XCTAssertEqual(found, expected, accuracy: tolerance)
            }
        }
    }

    func testManyAtOnce() async throws {
        let server = try serve()
        let client = try client(server.url)
        let (rows, expected) = (rows, rows.map(\.logits))
        try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
            for turn in 0..<48 {
                group.addTask { (turn % 3, try await client.logits(for: rows[turn % 3].smashed).logits[0]) }
            }
            for try await (index, logits) in group {
                for (found, wanted) in zip(logits, expected[index]) { XCTAssertEqual(found, wanted, accuracy: 1e-5) }
            }
        }
    }

    /// Whoever opens a connection for each photo measures its set-up as "network".
    func testOneConnectionServesManyPhotos() async throws {
        let server = try serve()
        let counter = try Peer.Running(proxy: "count", to: server.url)
        let client = try client(counter.url)
        for row in rows + rows { _ = try await client.logits(for: row.smashed) }
        XCTAssertEqual(counter.moreOutput().filter { $0 == "+" }.count, 1)
    }

    func testAnotherBundleIsRefusedWithBothIDs() async throws {
        let server = try serve()
        var other = bundle.manifest
        other.bundleID = String(repeating: "f", count: 64)
        await assertFails(
            with: .bundleMismatch(tail: bundle.manifest.bundleID, head: other.bundleID),
            try client(server.url, manifest: other))
    }

    /// A slow tail with room for one request in its queue: of many at once, some must get 503.
    func testABusyTailIsAskedAgain() async throws {
        let server = try serve(bundle.root.appendingPathComponent("slow.mar"), ["--queue", "1", "--max-batch", "1"])
        let smashed = rows[0].smashed
        func ask(_ options: TailClient.Options) async throws -> (answered: Int, busy: Int, attempts: Int) {
            let client = try client(server.url, options: options)
            return await withTaskGroup(of: Result<Int, any Error>.self) { group in
                for _ in 0..<4 {
                    group.addTask { do { return .success(try await client.logits(for: smashed).attempts) } catch { return .failure(error) } }
                }
                var tally = (answered: 0, busy: 0, attempts: 0)
                for await result in group {
                    switch result {
                    case .success(let attempts):
                        tally.answered += 1
                        tally.attempts = max(tally.attempts, attempts)
                    case .failure(TailError.busy(let attempts)):
                        tally.busy += 1
                        tally.attempts = max(tally.attempts, attempts)
                    case .failure(let error): XCTFail("\(error)")
                    }
                }
                return tally
            }
        }
        let once = try await ask(.init(timeout: 30, attempts: 1))
        XCTAssertGreaterThan(once.busy, 0, "nothing was busy, so nothing is shown")
        XCTAssertGreaterThan(once.answered, 0)
        XCTAssertEqual(once.attempts, 1)
        let patient = try await ask(.init(timeout: 30, attempts: 30, backOff: 0.1, longestWait: 0.3))
        XCTAssertEqual(patient.answered, 4)
        XCTAssertGreaterThan(patient.attempts, 1)
    }

    func testRetryAfterIsWaitedFor() async throws {
        let server = try serve(bundle.root.appendingPathComponent("slow.mar"), ["--queue", "1", "--max-batch", "1"])
        let smashed = rows[0].smashed
        let client = try client(server.url, options: .init(timeout: 30, attempts: 4, backOff: 0.01))
        let start = Date.now
        let attempts = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 { group.addTask { try await client.logits(for: smashed).attempts } }
            return try await group.reduce(1, max)
        }
        XCTAssertGreaterThan(attempts, 1)
        XCTAssertGreaterThan(Date.now.timeIntervalSince(start), 1, "the server asks for a second")
    }

    func testASlowTailTimesOut() async throws {
        let server = try serve(bundle.root.appendingPathComponent("slow.mar"), [])
        let start = Date.now
        await assertFails(with: .timedOut(seconds: 0.05), try client(server.url, options: .init(timeout: 0.05)))
        XCTAssertLessThan(Date.now.timeIntervalSince(start), 1)
    }

    func testAHangingNetworkTimesOut() async throws {
        let server = try serve()
        let proxy = try Peer.Running(proxy: "hang", to: server.url)
        await assertFails(with: .timedOut(seconds: 0.4), try client(proxy.url, options: .init(timeout: 0.4)))
    }

    func testCancellingEndsARequest() async throws {
        let server = try serve()
        let proxy = try Peer.Running(proxy: "hang", to: server.url)
        let client = try client(proxy.url, options: .init(timeout: 30))
        let smashed = rows[0].smashed
        let task = Task { try await client.logits(for: smashed) }
        try await Task.sleep(for: .milliseconds(200))
        task.cancel()
        let start = Date.now
        do {
            _ = try await task.value
            XCTFail("expected a cancellation")
        } catch {
            XCTAssert(error is CancellationError, "\(error)")
        }
        XCTAssertLessThan(Date.now.timeIntervalSince(start), 5)
    }

    func testAnAnswerInPiecesIsWhole() async throws {
        let server = try serve()
        let proxy = try Peer.Running(proxy: "trickle", to: server.url)
        let answer = try await client(proxy.url).logits(for: rows[1].smashed)
        for (found, expected) in zip(answer.logits[0], rows[1].logits) { XCTAssertEqual(found, expected, accuracy: 1e-5) }
        XCTAssertGreaterThan(answer.milliseconds, 300)
    }

    func testDroppedConnections() async throws {
        let server = try serve()
        for mode in ["drop-request", "drop-answer"] {
            let proxy = try Peer.Running(proxy: mode, to: server.url)
            await assertUnreachable(try client(proxy.url, options: .init(timeout: 5)))
        }
        server.kill()
        await assertUnreachable(try client(server.url, options: .init(timeout: 5)))
    }

    func testRedirectsAreNotFollowed() async throws {
        let server = try serve()
        let proxy = try Peer.Running(proxy: "redirect", to: server.url)
        await assertFails(with: .refused(status: 307, "no reason given"), try client(proxy.url))
    }

    func testAFloodIsCutOff() async throws {
        let server = try serve()
        let proxy = try Peer.Running(proxy: "flood", to: server.url)
        await assertFails(with: .badAnswer("more than 4 MiB came."), try client(proxy.url))
    }

    func testTokens() async throws {
        let file = Peer.scratch.appendingPathComponent("token")
        try Data("a-long-secret-token-0123456789".utf8).write(to: file)
        let server = try serve("--token-file", file.path)
        await assertFails(with: .tokenRefused, try client(server.url))
        await assertFails(with: .tokenRefused, try client(server.url, options: .init(token: "wrong")))
        let answer = try await client(server.url, options: .init(token: "a-long-secret-token-0123456789")).logits(for: rows[0].smashed)
        XCTAssertEqual(answer.logits[0].count, 10)
    }

    func testFeaturesNeverCrossUnencrypted() throws {
        let address = URL(string: "http://10.0.0.1:8080")!
        XCTAssertThrowsError(try client(address)) { XCTAssertEqual($0 as? TailError, .insecure(host: "10.0.0.1")) }
        XCTAssertNoThrow(try client(address, options: .init(cleartextHosts: ["10.0.0.1"])))
        XCTAssertNoThrow(try client(URL(string: "https://10.0.0.1")!, options: .init(token: "x")))
    }

    func testAWrongPathIsSaid() async throws {
        let server = try serve()
        var manifest = bundle.manifest
        manifest.tail!.route = "/predictions/other"
        do {
            _ = try await client(server.url, manifest: manifest).logits(for: rows[0].smashed)
            XCTFail("expected 404")
        } catch TailError.refused(let status, let sentence) {
            XCTAssertEqual(status, 404)
            XCTAssert(sentence.contains("no such model") || sentence.contains("no model"), sentence)
        }
        manifest.tail!.route = "/predictions/../admin"
        XCTAssertThrowsError(try client(server.url, manifest: manifest))
    }

    func testNothingThatIsNotANumberIsSent() async throws {
        let server = try serve()
        var smashed = rows[0].smashed
        smashed[5] = .nan
        do {
            _ = try await client(server.url).logits(for: smashed)
            XCTFail("NaN was sent")
        } catch {
            XCTAssert(error is WireError)
        }
    }
}
