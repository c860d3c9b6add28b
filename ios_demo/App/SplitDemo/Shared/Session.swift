import Foundation
import Observation
import SplitKit
import SplitKitCoreML

/// What the screens share: the bundle, the chosen head, where the tail is.
@MainActor
@Observable
final class Session {
    /// The bundle, or why there is none.
    let bundle: Result<ModelBundle, any Error>
    /// Position of the chosen head in `heads`.
    var chosen = 0 { didSet { if chosen != oldValue { room = nil } } }
    var units = ComputeUnits.all { didSet { if units != oldValue { room = nil } } }
    var address: String { didSet { UserDefaults.standard.set(address, forKey: "tail") } }
    /// Kept in memory only.
    var token = ""
    var encoding = Manifest.TensorSpec.DType.uint8
    private var room: HeadRoom?

    init() {
        let folder = Foundation.Bundle.main.bundleURL.appendingPathComponent("bundle", isDirectory: true)
        bundle = Result { try ModelBundle(at: folder) }
        address = UserDefaults.standard.string(forKey: "tail") ?? "http://localhost:8080"
    }

    /// Heads of the bundle that this app has a runtime and the files for.
    var heads: [Manifest.Head] {
        guard let bundle = try? bundle.get() else { return [] }
        return bundle.manifest.heads.filter { ["coreml", "executorch"].contains($0.target) && bundle.isPresent($0) }
    }

    /// Encodings that the tail takes.
    var encodings: [Manifest.TensorSpec.DType] {
        (try? bundle.get().manifest.tail?.inputs.map(\.dtype)) ?? []
    }

    /// The chosen head, opened once.
    func openRoom() async throws -> HeadRoom {
        if let room { return room }
        let bundle = try bundle.get()
        guard heads.indices.contains(chosen) else {
            throw BundleError("This bundle has no head for this app; add one with: pripro convert BUNDLE --to coreml")
        }
        let opened = try await HeadRoom(heads[chosen], in: bundle, units: units)
        room = opened
        return opened
    }

    /// A client for the tail as the settings say.
    func tail() throws -> TailClient {
        guard let url = URL(string: address.trimmingCharacters(in: .whitespaces)) else {
            throw TailError.unreachable("\(address) is no address")
        }
        return try TailClient(
            url: url, manifest: try bundle.get().manifest, dtype: encoding,
            options: .init(token: token.isEmpty ? nil : token))
    }
}
