import Foundation

/// A split network as one thing: photo -> head with noise, here -> features -> tail -> answer.
///
///     let bundle = try ModelBundle(at: folder)
///     let client = try SplitClient(bundle: bundle, tail: "https://tail.example.org", runtimes: [.coreML()])
///     let answer = try await client.classify(image)
///
/// An actor, so that no screen waits for the head and no two photos share its buffers. The head is opened with the first photo.
public actor SplitClient {
    /// What an app may choose; everything has a default that works.
    public struct Options: Sendable {
        /// Words of a head, such as `executorch fp32`; nil takes the first that a runtime opens.
        public var head: String?
        /// How features cross; nil takes the fewest bytes that the tail takes, entropy-coded where it has a waist.
        public var encoding: Manifest.TensorSpec.DType?
        public var tail: TailClient.Options
        /// What memoised noise is drawn with; nil takes the Keychain's, where there is one.
        public var secret: DeviceSecret?

        public init(
            head: String? = nil, encoding: Manifest.TensorSpec.DType? = nil, tail: TailClient.Options = .init(),
            secret: DeviceSecret? = nil
        ) {
            (self.head, self.encoding, self.tail, self.secret) = (head, encoding, tail, secret)
        }
    }

    /// What leaves the phone of one photo: features under noise.
    public struct Protected: Sendable {
        public let smashed: [Float]
        public let headMs: Double
    }

    /// The tail's answer to one photo.
    public struct Answer: Sendable {
        /// What a person reads of it, by the bundle's task.
        public let reading: Reading
        /// Every output of the network.
        public let outputs: [Output]
        /// All outputs, one behind the other, as the tail sent them.
        public let logits: [Float]
        public let headMs: Double
        /// Network and tail together.
        public let roundTripMs: Double
        /// The tail's part of it, where the tail says.
        public let tailMs: Double?
        public let bytesSent: Int

        /// The most probable classes; none where the task is not to classify.
        public var classification: Classification {
            if case .classes(let found) = reading { found } else { Classification(logits: [], labels: []) }
        }
    }

    /// The head that runs.
    public nonisolated let head: Manifest.Head
    private let bundle: ModelBundle
    private let runtime: HeadRuntime
    private let preprocessor: Preprocessor
    private let tail: TailClient?
    /// For the parity replay, which compares to the last digits: float32 where the tail takes it.
    private let exactTail: TailClient?
    private let keys: NoiseKeys
    private var opened: (head: ProtectedHead, loadMs: Double)?
    private var opening: Task<Void, any Error>?

    /// - Parameters:
    ///   - bundle: the bundle whose head runs here.
    ///   - tail: where the tail listens; nil for a client that only protects.
    ///   - runtimes: what opens heads, the preferred one first, such as `.coreML()` and `.executorch`.
    ///   - options: which head, how features cross, the token; all have defaults.
    /// - Throws: `BundleError`: no head that a runtime opens, no tail in it; `TailError`: an address that features may not go to.
    public init(bundle: ModelBundle, tail: String?, runtimes: [HeadRuntime], options: Options = .init()) throws {
        let wanted = options.head?.split(separator: " ") ?? []
        let heads = runtimes.flatMap { runtime in bundle.manifest.heads.filter(runtime.accepts).map { (head: $0, runtime: runtime) } }
        let found = heads.first { item in
            let words = [item.head.target, item.head.precision, item.head.backend]
            return zip(wanted, words).allSatisfy { $0 == $1 } && bundle.isPresent(item.head)
        }
        guard let found else {
            throw BundleError("This bundle has no \(options.head.map { "head \($0)" } ?? "head for this app"); add one with: pripro convert BUNDLE")
        }
        (head, runtime, self.bundle) = (found.head, found.runtime, bundle)
        preprocessor = try Preprocessor(bundle.manifest.preprocess)
        let offered = bundle.manifest.tail?.inputs.map(\.dtype) ?? []
        func client(_ dtype: Manifest.TensorSpec.DType?) throws -> TailClient? {
            try tail.map { address in
                let url = try TailAddress.check(address, cleartextHosts: options.tail.cleartextHosts)
                let taken = dtype.flatMap { offered.contains($0) ? $0 : nil }
                return try TailClient(url: url, manifest: bundle.manifest, dtype: taken, options: options.tail)
            }
        }
        self.tail = try client(options.encoding)
        exactTail = try client(.float32)
        keys = try NoiseKeys.of(bundle.manifest, secret: options.secret ?? Self.deviceSecret(for: bundle.manifest))
    }

    /// The whole way of one photo.
    ///
    /// - Throws: an error whose description is one sentence for the screen.
    public func classify(_ photo: sending some Photo) async throws -> Answer {
        try await ask(protect(photo))
    }

    /// The phone's half of it: what may leave the phone.
    ///
    /// - Throws: an error whose description is one sentence for the screen.
    public func protect(_ photo: sending some Photo) async throws -> Protected {
        let image = preprocessor.tensor(photo)
        let head = try await open().head
        let start = DispatchTime.now().uptimeNanoseconds
        let smashed = try head.smashed(image: image)
        return Protected(smashed: smashed, headMs: Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6)
    }

    /// The cloud's half of it.
    ///
    /// - Throws: an error whose description is one sentence for the screen.
    public func ask(_ features: Protected) async throws -> Answer {
        guard let tail else { throw TailError.unreachable("no address is set") }
        let answer = try await tail.logits(for: features.smashed)
        let outputs = try Output.apart(answer.logits[0], bundle.manifest.split.outputs)
        return Answer(
            reading: Reading(outputs, task: bundle.manifest.task, labels: bundle.manifest.labels), outputs: outputs,
            logits: answer.logits[0],
            headMs: features.headMs, roundTripMs: answer.milliseconds, tailMs: answer.tailMilliseconds,
            bytesSent: answer.bytesSent)
    }

    /// How many operators are meant to run on each kind of processor; empty where the runtime does not say.
    public func plan() async throws -> [String: Int] {
        try await open().head.runner.plan(isolation: self)
    }

    /// Times the head with its noise on a golden photo and, where asked, the whole way, in turns.
    ///
    /// - Parameters:
    ///   - runs: counted runs of each.
    ///   - withTail: whether the whole way is timed, too.
    ///   - progress: see `Benchmark.rows`.
    public func benchmark(
        runs: Int, withTail: Bool = false, progress: (Int, Int, () -> [Summary]) -> Void = { _, _, _ in }
    ) async throws -> [LatencyReport.Row] {
        guard let row = try bundle.golden().rows.first else { throw BundleError("This bundle has no golden rows.") }
        let (protected, loadMs) = try await open()
        func subject(_ part: LatencyReport.Row.Part, _ run: @escaping () async throws -> Void) -> Benchmark.Subject {
            // Core ML and ExecuTorch choose their threads themselves; 0 says so
            Benchmark.Subject(
                part: part, target: head.target, precision: head.precision, backend: head.backend,
                runtime: protected.runner.runtime, threads: 0, loadMs: part == .head ? loadMs : nil, run: run)
        }
        var subjects = [subject(.head) { _ = try protected.smashed(image: row.image) }]
        if withTail {
            guard let tail else { throw TailError.unreachable("no address is set") }
            subjects.append(subject(.total) { _ = try await tail.logits(for: protected.smashed(image: row.image)) })
        }
        return try await Benchmark(runs: runs).rows(of: subjects, progress: progress)
    }

    /// Replays the goldens, with the noise of each row.
    public func parity(
        withTail: Bool = false, each: (ParityReplay.Comparison) -> Void = { _ in }
    ) async throws -> DeviceParityReport {
        let running = RunningHead(head, runner: try await open().head.runner)
        let outputs = try await ParityReplay.outputs(
            of: bundle.golden().rows, head: running, tail: withTail ? exactTail : nil,
            isClassifying: bundle.manifest.task.name == "classify", each: each)
        return DeviceParityReport(bundleID: bundle.manifest.bundleID, device: .current, outputs: outputs)
    }

    /// Replays the golden photos and judges them; a processor on which they fail must not be used for photos.
    ///
    /// - Parameter isExact: whether an fp32 head is computed in single precision there, as on a CPU.
    public func trial(isExact: Bool = false) async throws -> Trial {
        let runner = try await open().head.runner
        let rows = try bundle.golden().rows.filter(\.isPhoto)
        let found = try rows.map { try runner.smashed(image: $0.image, eps: $0.eps) }
        return try Trial(
            found: found, wanted: rows.map(\.smashed), precision: head.precision,
            tolerances: bundle.manifest.golden?.tolerances ?? OrderedMap(), isExact: isExact,
            codes: HeadCodes(head, of: bundle.manifest))
    }

    /// The head, opened once: a second photo that comes meanwhile waits for the same opening.
    private func open() async throws -> (head: ProtectedHead, loadMs: Double) {
        while true {
            if let opened { return opened }
            if let opening {
                try await opening.value
                continue
            }
            let task = Task { try await load() }
            opening = task
            defer { opening = nil }
            try await task.value
        }
    }

    private static func deviceSecret(for manifest: Manifest) throws -> DeviceSecret? {
        #if canImport(Security)
            return manifest.protection?.noise == .memoised ? try .keychain() : nil
        #else
            return nil
        #endif
    }

    private func load() async throws {
        let file = try await runtime.prepare(head, bundle)
        let start = DispatchTime.now().uptimeNanoseconds
        let runner = try await runtime.load(head, file)
        let milliseconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
        opened = (ProtectedHead(runner, epsCount: try bundle.manifest.epsCount(), keys: keys), milliseconds)
    }
}

#if canImport(CoreGraphics)
    import CoreGraphics

    extension SplitClient {
        /// The whole way of one photo.
        ///
        /// - Parameters:
        ///   - image: the photo, as large as it is.
        ///   - orientation: how the camera held it; a CGImage does not say.
        /// - Throws: an error whose description is one sentence for the screen.
        public func classify(_ image: CGImage, orientation: Orientation = .upright) async throws -> Answer {
            guard let photo = StoredPhoto(image, orientation: orientation) else {
                throw BundleError("There is too little memory for this photo; choose a smaller one.")
            }
            return try await classify(photo)
        }
    }
#endif
