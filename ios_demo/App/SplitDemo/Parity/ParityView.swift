import SplitKit
import SplitKitCoreML
import SwiftUI

/// Replays the bundle's goldens on this device and writes the report that `pripro verify --device-report` reads.
struct ParityView: View {
    @Environment(Session.self) private var session
    @State private var job = Job()
    @State private var trialJob = Job()
    @State private var withTail = false
    @State private var rows: [ParityReplay.Comparison] = []
    @State private var file: URL?

    var body: some View {
        Form {
            Toggle("Also through the tail", isOn: $withTail)
            JobButton(title: "Replay the goldens", job: job, work: replay)
            JobButton(title: "Try the processors", job: trialJob) { try await session.tryProcessors() }
            ForEach(ComputeUnits.allCases, id: \.self) { units in
                switch session.trials[units] {
                case .success(let trial) where trial.passed: Text("\(units.rawValue): \(trial.says); may be chosen in Settings")
                case .success(let trial): Text("\(units.rawValue): \(trial.says); not offered").foregroundStyle(.red)
                case .failure(let error): Text("\(units.rawValue): \(error.localizedDescription)").foregroundStyle(.red)
                case nil: Text("\(units.rawValue): not tried")
                }
            }
            if let file { ShareLink("Share the report", item: file) }
            ForEach(rows, id: \.index) { row in
                VStack(alignment: .leading) {
                    Text("Row \(row.index): features differ by at most \(row.smashedMaxAbs)")
                    if let logits = row.logitsMaxAbs {
                        Text("answer by \(logits)" + (row.sameTop1.map { ", the same class: \($0 ? "yes" : "no")" } ?? ""))
                    }
                }
                .font(.caption.monospaced())
            }
        }
    }

    private func replay() async throws {
        (rows, file) = ([], nil)
        let client = try await session.client()
        let report = try await client.parity(withTail: withTail) { comparison in
            Task { @MainActor in rows.append(comparison) }
        }
        file = try ReportFile.write(report, name: "device-parity")
    }
}
