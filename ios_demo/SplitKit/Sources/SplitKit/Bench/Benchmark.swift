import Foundation

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#endif

/// Times several things in turns, A B A B, so that a phone that warms up slows all of them alike.
public struct Benchmark: Sendable {
    /// One thing to time.
    public struct Subject {
        public var part: LatencyReport.Row.Part
        public var target: String
        public var precision: String
        public var backend: String
        public var runtime: String
        public var threads: Int
        /// What opening it took, measured by whoever opened it.
        public var loadMs: Double?
        public var run: () async throws -> Void

        public init(
            part: LatencyReport.Row.Part, target: String, precision: String, backend: String, runtime: String, threads: Int,
            loadMs: Double?, run: @escaping () async throws -> Void
        ) {
            self.part = part
            self.target = target
            self.precision = precision
            self.backend = backend
            self.runtime = runtime
            self.threads = threads
            self.loadMs = loadMs
            self.run = run
        }
    }

    /// Runs that are not counted, after the first, which is reported apart.
    public var warmups: Int
    /// Counted runs of each subject.
    public var runs: Int
    /// Samples in one turn.
    public var turn: Int
    /// What makes a summary of samples for `progress`; a test counts its calls.
    var describe: @Sendable ([Double]) -> Summary = { Summary($0) }

    public init(warmups: Int = 5, runs: Int = 50, turn: Int = 5) {
        self.warmups = max(0, warmups)
        self.runs = max(1, runs)
        self.turn = max(1, turn)
    }

    /// Times every subject.
    ///
    /// - Parameters:
    ///   - subjects: in the order of their turns; ratios are to the first.
    ///   - isolation: the actor that calls, so that subjects need not cross between threads.
    ///   - progress: called after each turn with (samples taken, samples in all, what computes the summaries so far). These sort
    ///     all samples, between two timed runs: ask for them only where they are shown.
    /// - Throws: what a subject throws, or `CancellationError`.
    public func rows(
        of subjects: [Subject], isolation: isolated (any Actor)? = #isolation,
        progress: (Int, Int, () -> [Summary]) -> Void = { _, _, _ in }
    ) async throws -> [LatencyReport.Row] {
        var firsts: [Double] = []
        for subject in subjects {
            firsts.append(try await Self.milliseconds(subject.run))
            for _ in 0..<warmups { try await subject.run() }
        }
        var samples = [[Double]](repeating: [], count: subjects.count)
        while let least = samples.map(\.count).min(), least < runs {
            for (index, subject) in subjects.enumerated() {
                for _ in 0..<min(turn, runs - samples[index].count) {
                    try Task.checkCancellation()
                    samples[index].append(try await Self.milliseconds(subject.run))
                }
            }
            progress(samples.map(\.count).reduce(0, +), runs * subjects.count) { samples.map(describe) }
        }
        let peak = Self.peakMemoryBytes
        var rows = zip(subjects, firsts).enumerated().map { index, pair in
            LatencyReport.Row(pair.0, firstRunMs: pair.1, warmups: warmups, Summary(samples[index]))
        }
        for index in rows.indices {
            rows[index].ratioToFirst = rows[index].p50Ms / rows[0].p50Ms
            rows[index].peakMemoryBytes = peak
            rows[index].flag = Self.doubt(samples[index])
        }
        return rows
    }

    private static func milliseconds(
        _ run: () async throws -> Void, isolation: isolated (any Actor)? = #isolation
    ) async throws -> Double {
        let start = DispatchTime.now().uptimeNanoseconds
        try await run()
        return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
    }

    /// A sentence where the last quarter was a fifth slower than the first: throttling, or foreign load.
    static func doubt(_ samples: [Double]) -> String {
        let quarter = samples.count / 4
        guard quarter >= 3 else { return "" }
        let early = Summary(Array(samples.prefix(quarter))).p50
        let late = Summary(Array(samples.suffix(quarter))).p50
        guard late > 1.2 * early else { return "" }
        return "slower by \(Int(((late / early - 1) * 100).rounded())) % at the end than at the start"
    }

    /// Most memory that this process has held so far.
    static var peakMemoryBytes: Int? {
        var usage = rusage()
        #if canImport(Darwin)
            return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : nil
        #else
            return getrusage(Int32(RUSAGE_SELF.rawValue), &usage) == 0 ? usage.ru_maxrss * 1024 : nil  // Linux counts in KiB
        #endif
    }
}
