import SplitKit

#if canImport(CoreML)
    import SplitKitCoreML
#endif

/// The heads to replay: recorded features where a file of them is named, else the bundle's Core ML heads.
func heads(for arguments: Arguments, in bundle: ModelBundle) async throws -> [any ParityHead] {
    if let file = arguments.smashed { return [try RecordedHead(file, manifest: bundle.manifest)] }
    #if canImport(CoreML)
        guard let units = ComputeUnits(rawValue: arguments.units) else {
            let known = ComputeUnits.allCases.map(\.rawValue).joined(separator: ", ")
            throw UsageError(message: "There are no units \(arguments.units); choose one of: \(known)")
        }
        let found = bundle.manifest.heads.filter {
            $0.target == "coreml" && (arguments.precision ?? $0.precision) == $0.precision
        }
        guard !found.isEmpty else {
            throw BundleError("This bundle has no such Core ML head; add one with: pripro convert BUNDLE --to coreml")
        }
        var running: [any ParityHead] = []
        for head in found {
            running.append(RunningHead(head, runner: try await CoreMLHead(head, in: bundle, units: units)))
        }
        return running
    #else
        throw UsageError(
            message: "Core ML does not exist on this system; name features that another runtime made with --smashed FILE")
    #endif
}
