import SplitKit

#if canImport(CoreML)
    import SplitKitCoreML
#endif
#if canImport(CoreAI)
    import SplitKitCoreAI
#endif

/// The heads to replay: recorded features where a file of them is named, else the bundle's Core ML heads and, where the system has
/// Core AI, its Core AI heads.
func heads(for arguments: Arguments, in bundle: ModelBundle) async throws -> [any ParityHead] {
    if let file = arguments.smashed { return [try RecordedHead(file, manifest: bundle.manifest)] }
    #if canImport(CoreML)
        guard let units = ComputeUnits(rawValue: arguments.units) else {
            let known = ComputeUnits.allCases.map(\.rawValue).joined(separator: ", ")
            throw UsageError(message: "There are no units \(arguments.units); choose one of: \(known)")
        }
        let wanted = bundle.manifest.heads.filter { (arguments.precision ?? $0.precision) == $0.precision }
        var running: [any ParityHead] = []
        for head in wanted where head.target == "coreml" {
            running.append(RunningHead(head, runner: try await CoreMLHead(head, in: bundle, units: units)))
        }
        #if canImport(CoreAI)
            if #available(iOS 27.0, macOS 27.0, macCatalyst 27.0, *) {
                for head in wanted where head.target == "coreai" {
                    running.append(RunningHead(head, runner: try await CoreAIHead(head, at: bundle.checkedEntry(of: head))))
                }
            }
        #endif
        guard !running.isEmpty else {
            throw BundleError("This bundle has no such Core ML or Core AI head; add one with: pripro convert BUNDLE --to coreml")
        }
        return running
    #else
        throw UsageError(
            message: "Core ML does not exist on this system; name features that another runtime made with --smashed FILE")
    #endif
}
