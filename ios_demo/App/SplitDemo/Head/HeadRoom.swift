import Foundation
import SplitKit
import SplitKitCoreML

/// Where the head lives: an actor of its own, so that no screen waits for it and no two runs share its buffers.
actor HeadRoom {
    /// What one photo came to.
    struct Result: Sendable {
        let classification: Classification
        let mosaic: FeatureMosaic
        let headMs: Double
        /// Network and tail together.
        let roundTripMs: Double
        /// The tail's part of it, where the tail says.
        let tailMs: Double?
        let bytesSent: Int
    }

    let info: Manifest.Head
    private let bundle: ModelBundle
    private let head: ProtectedHead
    private let preprocessor: Preprocessor
    private let loadMs: Double
    /// Operators per processor as Core ML plans them; empty for other runtimes.
    let plan: [String: Int]

    init(_ info: Manifest.Head, in bundle: ModelBundle, units: ComputeUnits) async throws {
        self.info = info
        self.bundle = bundle
        preprocessor = Preprocessor(bundle.manifest.preprocess)
        let start = DispatchTime.now().uptimeNanoseconds
        let runner: any HeadRunner
        if info.target == "coreml" {
            let opened = try await CoreMLHead(info, in: bundle, units: units)
            plan = (try? await opened.plan()) ?? [:]
            runner = opened
        } else {
            runner = try ExecuTorchHead(info, in: bundle)
            plan = [:]
        }
        head = ProtectedHead(runner, epsCount: try bundle.manifest.epsCount())
        loadMs = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
    }

    /// From an upright photo's pixels to the answer.
    func classify(_ photo: Photo, tail: TailClient) async throws -> Result {
        let image = preprocessor.tensor(rgb: photo.rgb, width: photo.width, height: photo.height)
        let start = DispatchTime.now().uptimeNanoseconds
        let smashed = try head.smashed(image: image)
        let headMs = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
        let answer = try await tail.logits(for: smashed)
        return Result(
            classification: Classification(logits: answer.logits[0], labels: bundle.manifest.labels),
            mosaic: FeatureMosaic(smashed: smashed, shape: Array(bundle.manifest.split.smashed.shape.dropFirst())),
            headMs: headMs, roundTripMs: answer.milliseconds, tailMs: answer.tailMilliseconds, bytesSent: answer.bytesSent)
    }

    /// Times the head with fresh noise on golden photos and, where there is a tail, the whole way, in turns.
    func benchmark(
        runs: Int, tail: TailClient?, progress: @Sendable @escaping (Int, Int, [Summary]) -> Void
    ) async throws -> [LatencyReport.Row] {
        guard let row = try bundle.golden().rows.first else { throw BundleError("This bundle has no golden rows.") }
        let head = self.head
        func subject(_ part: LatencyReport.Row.Part, _ run: @escaping () async throws -> Void) -> Benchmark.Subject {
            // Core ML and ExecuTorch choose their threads themselves; 0 says so
            Benchmark.Subject(
                part: part, target: info.target, precision: info.precision, backend: info.backend,
                runtime: head.runner.runtime, threads: 0, loadMs: part == .head ? loadMs : nil, run: run)
        }
        var subjects = [subject(.head) { _ = try head.smashed(image: row.image) }]
        if let tail {
            subjects.append(subject(.total) { _ = try await tail.logits(for: head.smashed(image: row.image)) })
        }
        return try await Benchmark(runs: runs).rows(of: subjects, progress: progress)
    }

    /// Replays the goldens, with the noise of each row.
    func parity(
        tail: TailClient?, each: @Sendable @escaping (ParityReplay.Comparison) -> Void
    ) async throws -> DeviceParityReport {
        let outputs = try await ParityReplay.outputs(
            of: bundle.golden().rows, head: RunningHead(info, runner: head.runner), tail: tail, each: each)
        return DeviceParityReport(bundleID: bundle.manifest.bundleID, device: .current, outputs: outputs)
    }
}
