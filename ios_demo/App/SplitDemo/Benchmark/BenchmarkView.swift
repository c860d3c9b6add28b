import SplitKit
import SwiftUI
import UIKit

/// Times the head, and the whole way where there is a tail; shares the report.
struct BenchmarkView: View {
    @Environment(Session.self) private var session
    @State private var job = Job()
    @State private var runs = 50
    @State private var withTail = false
    @State private var progress = 0.0
    @State private var lines: [Line] = []
    @State private var plan: [String: Int] = [:]
    @State private var file: URL?

    struct Line: Identifiable {
        let id: Int
        let name: String
        let summary: Summary
    }

    var body: some View {
        Form {
            Stepper("Runs: \(runs)", value: $runs, in: 10...1000, step: 10)
            Toggle("Also through the tail", isOn: $withTail)
            JobButton(title: "Measure", job: job, work: measure)
            if job.isRunning { ProgressView(value: progress) }
            ForEach(lines) { line in
                VStack(alignment: .leading) {
                    Text(line.name)
                    Text(
                        "p50 \(ms(line.summary.p50)), p90 \(ms(line.summary.p90)), p99 \(ms(line.summary.p99)) ms, n = \(line.summary.n)"
                    )
                    .font(.caption.monospaced())
                }
            }
            if !plan.isEmpty {
                Section("Operators, as Core ML plans them") {
                    ForEach(plan.keys.sorted(), id: \.self) { unit in Text("\(unit): \(plan[unit] ?? 0)") }
                }
            }
            if let file { ShareLink("Share the report", item: file) }
        }
    }

    private func ms(_ value: Double) -> String {
        value.formatted(.number.precision(.fractionLength(2)))
    }

    private func measure() async throws {
        (lines, file, progress, plan) = ([], nil, 0, [:])
        let bundle = try session.bundle.get()
        let client = try await session.client()
        let names = ["head", "head, network and tail"]
        let start = Condition(batteryPercent: battery)
        let pace = Pace(seconds: 0.25)
        let rows = try await client.benchmark(runs: runs, withTail: withTail) { done, all, summaries in
            // drawing must not disturb what is timed
            guard pace.isDue || done == all else { return }
            let found = summaries()
            Task { @MainActor in
                progress = Double(done) / Double(all)
                lines = found.enumerated().map { Line(id: $0.offset, name: names[$0.offset], summary: $0.element) }
            }
        }
        let report = LatencyReport(
            bundleID: bundle.manifest.bundleID, device: .current, start: start, end: Condition(batteryPercent: battery),
            rows: rows)
        file = try ReportFile.write(report, name: "latency")
        plan = try await client.plan()
    }

    private var battery: Double? {
        UIDevice.current.isBatteryMonitoringEnabled = true
        let level = UIDevice.current.batteryLevel
        return level < 0 ? nil : Double(level) * 100
    }
}

/// Says when something is due again.
private final class Pace: @unchecked Sendable {
    private let seconds: Double
    private var last = Date.distantPast

    init(seconds: Double) { self.seconds = seconds }

    /// True at most once in that many seconds; called by one task only.
    var isDue: Bool {
        guard Date.now.timeIntervalSince(last) >= seconds else { return false }
        last = .now
        return true
    }
}
