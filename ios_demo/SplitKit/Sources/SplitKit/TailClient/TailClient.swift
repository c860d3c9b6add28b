import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Sends smashed features to the cloud's half and gets logits back.
///
/// Keep it: it holds its connections open, and the first request over a new one pays for setting it up.
public final class TailClient: Sendable {
    /// Where the tail is and how patient to be.
    public struct Options: Sendable {
        /// Sent as `Authorization: Bearer`. Keep it in memory or in the Keychain.
        public var token: String?
        /// Private hosts that may be reached over http; see `TailAddress`.
        public var cleartextHosts: Set<String>
        /// For a tail behind a certificate authority of your own; then that one alone is trusted. On Apple's systems only.
        public var authority: OwnAuthority?
        /// Longest wait for one attempt, seconds.
        public var timeout: Double
        /// Attempts in all where the tail says that it is busy (503); nothing else is tried again.
        public var attempts: Int
        /// Wait before the second attempt, seconds; doubled for each further one. `Retry-After` may lengthen it.
        public var backOff: Double
        /// Longest wait between two attempts, seconds.
        public var longestWait: Double

        public init(
            token: String? = nil, cleartextHosts: Set<String> = [], authority: OwnAuthority? = nil, timeout: Double = 15,
            attempts: Int = 4, backOff: Double = 0.2, longestWait: Double = 5
        ) {
            self.token = token
            self.cleartextHosts = cleartextHosts
            self.authority = authority
            self.timeout = timeout
            self.attempts = max(1, attempts)
            self.backOff = backOff
            self.longestWait = longestWait
        }
    }

    /// What came back.
    public struct Answer: Sendable {
        /// One row per item sent.
        public let logits: [[Float]]
        /// From the first byte sent to the last received, of the attempt that was answered.
        public let milliseconds: Double
        /// What the tail says it worked itself (Server-Timing), milliseconds; nil where it does not say.
        public let tailMilliseconds: Double?
        /// Bytes of that attempt's body, its JSON header included.
        public let bytesSent: Int
        public let attempts: Int
    }

    /// Masks and heatmaps are longer than logits: more than this only where the bundle's outputs are.
    private let maximumAnswer: Int

    /// How features cross.
    enum Encoding: Sendable {
        case plain(SmashedEncoding)
        case coded(CodedEncoding)
    }

    let encoding: Encoding
    private let base: URL
    private let route: String
    private let bundleID: String
    private let options: Options
    private let transport: HTTPTransport
    private let session: URLSession

    /// - Parameters:
    ///   - url: the server, e.g. `https://tail.example.org`.
    ///   - manifest: the bundle that the head is of; says the tail's name and what it takes.
    ///   - dtype: how the features cross; nil for the fewest bytes that the tail takes, entropy-coded where it has a waist.
    ///   - options: token, trust and patience.
    /// - Throws: `BundleError` where the bundle has no tail or none for that encoding, `TailError.insecure`.
    public init(
        url: URL, manifest: Manifest, dtype: Manifest.TensorSpec.DType? = nil, options: Options = Options()
    ) throws {
        guard let tail = manifest.tail else {
            throw BundleError("This bundle has no tail yet; add it with: pripro package BUNDLE")
        }
        guard tail.wireVersion <= 2 else {
            throw BundleError("The tail speaks wire version \(tail.wireVersion), this app 2; update the app.")
        }
        guard BundlePath.isInside(String(tail.route.drop { $0 == "/" })) else {
            throw BundleError("The tail's route \(tail.route) is no path; make the bundle anew.")
        }
        if let dtype {
            guard let spec = tail.inputs.first(where: { $0.dtype == dtype }) else {
                let known = tail.inputs.map(\.dtype.rawValue).joined(separator: ", ")
                throw BundleError("The tail takes \(known), not \(dtype.rawValue); choose one of these.")
            }
            encoding = .plain(try SmashedEncoding(spec))
        } else if let coding = tail.coding {
            encoding = .coded(try CodedEncoding(manifest.smashed(), coding: coding))
        } else {
            let spec = [.uint8, .float16, .float32].lazy.compactMap { name in tail.inputs.first { $0.dtype == name } }.first
            guard let spec else { throw BundleError("The tail takes no encoding that this app speaks; make the bundle anew.") }
            encoding = .plain(try SmashedEncoding(spec))
        }
        try TailAddress.check(url, cleartextHosts: options.cleartextHosts)
        maximumAnswer = try max(4 << 20, 4 * manifest.logits().itemCount() + 64 << 10)
        base = url
        route = tail.route
        bundleID = manifest.bundleID
        self.options = options
        transport = try HTTPTransport(authority: options.authority)
        session = transport.makeSession()
    }

    deinit {
        session.invalidateAndCancel()
    }

    /// Sends features [n,C,h,w], flat, and waits for logits [n,K].
    ///
    /// - Throws: `WireError` for features that do not fit, `TailError`, or `CancellationError`.
    public func logits(for smashed: [Float]) async throws -> Answer {
        let rows: Int
        let infer: InferRequest
        switch encoding {
        case .plain(let plain):
            rows = try plain.shape(ofCount: smashed.count)[0]
            infer = try InferRequest(smashed: smashed, encoding: plain, bundleID: bundleID)
        case .coded(let coded):
            rows = try coded.items(ofCount: smashed.count)
            infer = try InferRequest(smashed: smashed, encoding: coded, bundleID: bundleID)
        }
        var request = URLRequest(url: base.appendingPathComponent(route))
        request.httpMethod = "POST"
        request.httpBody = infer.body
        for (name, value) in infer.headers { request.setValue(value, forHTTPHeaderField: name) }
        var wait = options.backOff
        for attempt in 1... {
            let start = DispatchTime.now().uptimeNanoseconds
            let answer = try await send(request)
            let milliseconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
            if answer.status == 503, attempt < options.attempts {
                let asked = answer.header("Retry-After").flatMap(Double.init) ?? 0
                // spread, so that phones which were refused together do not return together
                let spread = wait * Double.random(in: 1...1.5)
                try await Task.sleep(for: .seconds(min(max(asked, spread), options.longestWait)))
                wait *= 2
                continue
            }
            let logits = try read(answer, attempts: attempt)
            guard logits.count == rows else { throw TailError.badAnswer("\(logits.count) rows came back for \(rows).") }
            return Answer(
                logits: logits, milliseconds: milliseconds,
                tailMilliseconds: answer.header("Server-Timing").flatMap(ServerTiming.milliseconds),
                bytesSent: infer.body.count, attempts: attempt)
        }
        throw TailError.busy(attempts: options.attempts)
    }

    /// Milliseconds of the smallest possible exchange: the network's share of a request.
    public func ping() async throws -> Double {
        let start = DispatchTime.now().uptimeNanoseconds
        let answer = try await send(URLRequest(url: base.appendingPathComponent("ping")))
        guard answer.status == 200 else { throw TailError.refused(status: answer.status, "it is not ready") }
        return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
    }

    private func send(_ request: URLRequest) async throws -> HTTPTransport.Answer {
        var request = request
        request.timeoutInterval = options.timeout
        request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")  // logits do not compress
        if let token = options.token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
        do {
            return try await transport.send(
                request, over: session, within: options.timeout, maximumBytes: maximumAnswer)
        } catch HTTPTransport.Failure.timedOut {
            throw TailError.timedOut(seconds: options.timeout)
        } catch HTTPTransport.Failure.tooLarge {
            throw TailError.badAnswer("more than \(maximumAnswer >> 20) MiB came.")
        } catch HTTPTransport.Failure.broken(let why) {
            throw TailError.unreachable(why)
        }
    }

    private func read(_ answer: HTTPTransport.Answer, attempts: Int) throws -> [[Float]] {
        let said = answer.status == 200 ? nil : try? JSONParser.parse(answer.body)
        func text(_ key: String) -> String? {
            if case .string(let text)? = said?[key] { text } else { nil }
        }
        switch answer.status {
        case 200:
            do {
                return try InferResponse.logits(body: answer.body, headerLength: answer.header(InferRequest.headerLength))
            } catch let error as WireError {
                throw TailError.badAnswer(error.message)
            }
        case 401: throw TailError.tokenRefused
        case 409: throw TailError.bundleMismatch(tail: text("expected") ?? "unknown", head: text("got") ?? bundleID)
        case 503: throw TailError.busy(attempts: attempts)
        default: throw TailError.refused(status: answer.status, text("error") ?? text("message") ?? "no reason given")
        }
    }
}
