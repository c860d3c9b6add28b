import Foundation

/// A converted head, opened by its runtime on this device.
public protocol HeadRunner: AnyObject {
    /// The runtime and its version, e.g. `Core ML (macOS 15.1), all units`.
    var runtime: String { get }

    /// How many operators are meant to run on each kind of processor; empty where the runtime does not say. It takes a while,
    /// so it is asked for separately from opening.
    func plan(isolation: isolated (any Actor)?) async throws -> [String: Int]

    /// Executes once.
    ///
    /// - Parameters:
    ///   - image: preprocessed photo [C,H,W], flat.
    ///   - eps: standard normal noise, flat; empty where the head takes none.
    /// - Returns: the smashed features [C,h,w], flat; of a head that emits the wire's codes those that the codes stand for.
    func smashed(image: [Float], eps: [Float]) throws -> [Float]
}

extension HeadRunner {
    public func plan(isolation: isolated (any Actor)?) async throws -> [String: Int] { [:] }
}

/// A runtime that opens heads, in two steps: what is done once per file (compare its hash, compile it), and loading it.
public struct HeadRuntime: Sendable {
    /// Whether it opens that head.
    public let accepts: @Sendable (Manifest.Head) -> Bool
    /// From the bundle to a file that can be loaded; not part of a load's time.
    public let prepare: @Sendable (Manifest.Head, ModelBundle) async throws -> URL
    public let load: @Sendable (Manifest.Head, URL) async throws -> sending any HeadRunner

    public init(
        accepts: @escaping @Sendable (Manifest.Head) -> Bool,
        prepare: @escaping @Sendable (Manifest.Head, ModelBundle) async throws -> URL = { try $1.checkedEntry(of: $0) },
        load: @escaping @Sendable (Manifest.Head, URL) async throws -> sending any HeadRunner
    ) {
        (self.accepts, self.prepare, self.load) = (accepts, prepare, load)
    }
}

/// A head that draws its own noise, into one reused buffer.
public final class ProtectedHead {
    public let runner: any HeadRunner
    private let noise: NoiseSource
    private(set) var eps: [Float]

    /// - Parameters:
    ///   - runner: the opened head.
    ///   - epsCount: values of eps that the head takes, 0 for none; see `Manifest.epsCount()`.
    ///   - keys: where a photo's noise comes from; see `NoiseKeys.of`.
    public init(_ runner: any HeadRunner, epsCount: Int, keys: NoiseKeys = .fresh) {
        self.runner = runner
        noise = NoiseSource(keys: keys)
        eps = [Float](repeating: 0, count: epsCount)
    }

    /// Runs the head on a preprocessed photo with its noise.
    ///
    /// - Throws: `EntropyError` where the system gives no noise: nothing may be sent then; or the runtime's error.
    public func smashed(image: [Float]) throws -> [Float] {
        if !eps.isEmpty { try noise.fill(&eps, image: image) }
        // whoever knows the noise can subtract it
        defer { for index in eps.indices { eps[index] = 0 } }
        return try runner.smashed(image: image, eps: eps)
    }
}

extension Manifest {
    /// Values of eps that a head of this bundle takes for one image, 0 for none.
    ///
    /// - Throws: `BundleError` where several tensors are protected.
    public func epsCount() throws -> Int {
        guard let eps = protection?.eps, let first = eps.first else { return 0 }
        guard eps.count == 1 else {
            throw BundleError("The head takes \(eps.count) noise inputs, this app draws one; choose a cut point where one tensor crosses.")
        }
        return try first.itemCount()
    }
}
