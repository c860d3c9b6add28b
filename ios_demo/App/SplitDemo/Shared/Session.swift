import Foundation
import Observation
import SplitKit
import SplitKitCoreAI
import SplitKitCoreML

/// What the screens share: the bundle, the chosen head, where the tail is.
@MainActor
@Observable
final class Session {
    /// The bundle, or why there is none.
    let bundle: Result<ModelBundle, any Error>
    /// Position of the chosen head in `heads`.
    var chosen = 0 { didSet { if chosen != oldValue { (units, trials) = (.cpu, [:]) } } }
    /// Which processors Core ML may use for photos: those whose goldens have passed since the head was chosen.
    var units = ComputeUnits.cpu
    /// How the goldens of the chosen head came out.
    private(set) var trials: [ComputeUnits: Result<Trial, any Error>] = [:]
    var address: String { didSet { UserDefaults.standard.set(address, forKey: "tail") } }
    /// Kept in memory only.
    var token = ""
    /// nil: the fewest bytes that the tail takes.
    var encoding: Manifest.TensorSpec.DType?
    private let clients = Keyed<Choice, SplitClient>()

    /// All that a client depends on: another choice is another client.
    private struct Choice: Hashable, Sendable {
        let head: String
        let units: ComputeUnits
        let address: String
        let token: String
        let encoding: Manifest.TensorSpec.DType?
    }

    init() {
        let folder = Foundation.Bundle.main.bundleURL.appendingPathComponent("bundle", isDirectory: true)
        bundle = Result { try ModelBundle(at: folder) }
        address = UserDefaults.standard.string(forKey: "tail") ?? "http://localhost:8080"
    }

    /// Heads of the bundle that this app has a runtime and the files for.
    var heads: [Manifest.Head] {
        guard let bundle = try? bundle.get() else { return [] }
        return bundle.manifest.heads.filter { head in
            bundle.isPresent(head) && Self.runtimes(units).contains { $0.accepts(head) }
        }
    }

    /// Encodings that the tail takes.
    var encodings: [Manifest.TensorSpec.DType] {
        (try? bundle.get().manifest.tail?.inputs.map(\.dtype)) ?? []
    }

    /// The client for what is chosen now: its head stays open and its connections too. When the choice changes while a head is
    /// being opened, whoever asked for that head still gets it.
    func client() async throws -> SplitClient {
        try await client(on: units)
    }

    /// Replays the golden photos on every choice of processors; photos go to those that pass.
    func tryProcessors() async throws {
        for units in ComputeUnits.allCases {
            do {
                let trial = try await client(on: units).trial(isExact: units == .cpu)
                trials[units] = .success(trial)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                trials[units] = .failure(error)
            }
        }
    }

    /// Processors that may be chosen: the CPU, and those whose goldens have passed.
    var offered: [ComputeUnits] {
        ComputeUnits.allCases.filter { units in units == .cpu || (try? trials[units]?.get().passed) == true }
    }

    private func client(on units: ComputeUnits) async throws -> SplitClient {
        let bundle = try bundle.get()
        guard heads.indices.contains(chosen) else {
            throw BundleError("This bundle has no head for this app; add one with: pripro convert BUNDLE --to coreml")
        }
        let head = heads[chosen]
        let words = "\(head.target) \(head.precision) \(head.backend)"
        let choice = Choice(head: words, units: units, address: address, token: token, encoding: encoding)
        let options = try SplitClient.Options(
            head: words, encoding: encoding,
            tail: .init(
                token: token.isEmpty ? nil : token, cleartextHosts: Self.cleartextHosts, authority: Self.authority()))
        return try await clients.value(for: choice) {
            try SplitClient(
                bundle: bundle, tail: choice.address, runtimes: Self.runtimes(choice.units), options: options)
        }
    }

    /// Every runtime that this app was built with and this system has.
    private nonisolated static func runtimes(_ units: ComputeUnits) -> [HeadRuntime] {
        var all: [HeadRuntime] = [.coreML(units), .executorch]
        #if canImport(CoreAI)
            if #available(iOS 27.0, macOS 27.0, macCatalyst 27.0, *) { all.append(.coreAI) }
        #endif
        return all
    }

    /// Private hosts that may be reached over http, as Info.plist lists them.
    private static var cleartextHosts: Set<String> {
        Set(Foundation.Bundle.main.object(forInfoDictionaryKey: "SplitKitCleartextHosts") as? [String] ?? [])
    }

    /// The certificate authority in the app, or nil where there is none.
    private static func authority() throws -> OwnAuthority? {
        let file = Foundation.Bundle.main.bundleURL.appendingPathComponent("tail_ca.pem")
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        return try OwnAuthority(pem: Data(contentsOf: file))
    }
}
