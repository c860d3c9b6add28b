import Foundation

/// Compiled models, kept between starts of an app: compiling takes seconds, and is the same every time.
public struct CompiledModels: Sendable {
    private let folder: URL

    /// - Parameter folder: the system may empty it at any time; the app's caches by default.
    public init(in folder: URL? = nil) {
        let caches = FileManager.default.urls(for: .cachesDirectory, in: .userDomainMask).first ?? FileManager.default.temporaryDirectory
        self.folder = folder ?? caches.appendingPathComponent("splitkit-compiled", isDirectory: true)
    }

    /// The compiled model of a head: the one that is kept, or a new one. Those of other heads and systems are left to the system.
    ///
    /// - Parameters:
    ///   - head: whose files the model is compiled from.
    ///   - system: what compiles it; another one's result is not used.
    ///   - compile: makes it somewhere; it is moved from there.
    /// - Throws: what `compile` throws, or the file system's error.
    public func model(
        of head: Manifest.Head, system: String = ProcessInfo.processInfo.operatingSystemVersionString,
        compile: () async throws -> URL
    ) async throws -> URL {
        let name = SHA256.hexadecimal(of: ([system] + head.files.map { "\($0.path) \($0.sha256)" }).joined(separator: "\n").utf8)
        let kept = folder.appendingPathComponent("\(name.prefix(32)).mlmodelc", isDirectory: true)
        let files = FileManager.default
        if files.fileExists(atPath: kept.path) { return kept }
        let made = try await compile()
        try files.createDirectory(at: folder, withIntermediateDirectories: true)
        do {
            try files.moveItem(at: made, to: kept)
        } catch {
            // another process was faster, and its result is the same
            guard files.fileExists(atPath: kept.path) else { throw error }
            try? files.removeItem(at: made)
        }
        return kept
    }
}
