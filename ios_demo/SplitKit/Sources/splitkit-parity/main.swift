// Parity without an app: replays a bundle's goldens and writes the device report. See Arguments.help.
import Foundation
import SplitKit

func say(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}

func run() async throws {
    let arguments = try Arguments(Array(CommandLine.arguments.dropFirst()))
    let bundle = try ModelBundle(at: arguments.bundle)
    let rows = Array(try bundle.golden().rows.prefix(arguments.rows ?? .max))
    let tail = try arguments.tail.map {
        try TailClient(
            url: $0, manifest: bundle.manifest, dtype: arguments.encoding, options: .init(token: arguments.token))
    }
    var outputs: [DeviceParityReport.Output] = []
    for head in try await heads(for: arguments, in: bundle) {
        say("\(head.target) \(head.precision) on \(head.runtime), \(rows.count) golden rows")
        outputs += try await ParityReplay.outputs(
            of: rows, head: head, tail: tail, isClassifying: bundle.manifest.task.name == "classify"
        ) { row in
            let top = row.sameTop1.map { ", top-1 \($0 ? "the same" : "DIFFERS")" } ?? ""
            let logits = row.logitsMaxAbs.map { ", logits \($0)\(top)" }
            say("  row \(row.index): largest difference of features \(row.smashedMaxAbs)\(logits ?? "")")
        }
    }
    let report = DeviceParityReport(bundleID: bundle.manifest.bundleID, device: .current, outputs: outputs)
    let out = try arguments.out ?? place(in: arguments.bundle, created: report.createdUTC)
    try Report.write(report, to: out)
    print(out.path)
    say("next: pripro verify \(arguments.bundle.path) --device-report \(out.path)")
}

/// A new name under the bundle's reports.
func place(in bundle: URL, created: String) throws -> URL {
    let folder = bundle.appendingPathComponent("reports", isDirectory: true)
    do {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
        throw BundleError("\(folder.path) cannot be made; name a file that may be written with --out")
    }
    let stamp = created.filter { $0 != "-" && $0 != ":" }
    return folder.appendingPathComponent("device-parity-\(stamp).json")
}

if CommandLine.arguments.contains("--help") || CommandLine.arguments.contains("-h") {
    print(Arguments.help)
    exit(0)
}
do {
    try await run()
} catch {
    say("error: \(error.localizedDescription)")
    exit(2)
}
