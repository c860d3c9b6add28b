/// A converted head, opened by its runtime on this device.
public protocol HeadRunner: AnyObject {
    /// The runtime and its version, e.g. `Core ML (macOS 15.1), all units`.
    var runtime: String { get }

    /// Executes once.
    ///
    /// - Parameters:
    ///   - image: preprocessed photo [C,H,W], flat.
    ///   - eps: standard normal noise, flat; empty where the head takes none.
    /// - Returns: the smashed features [C,h,w], flat; of a head that emits the wire's codes those that the codes stand for.
    func smashed(image: [Float], eps: [Float]) throws -> [Float]
}

/// A head that draws its own noise: each call takes fresh eps from the system's generator into one reused buffer.
public final class ProtectedHead {
    public let runner: any HeadRunner
    private let noise = NoiseSource()
    private var eps: [Float]

    /// - Parameter epsCount: values of eps that the head takes, 0 for none; see `Manifest.epsCount()`.
    public init(_ runner: any HeadRunner, epsCount: Int) {
        self.runner = runner
        eps = [Float](repeating: 0, count: epsCount)
    }

    /// Runs the head on a preprocessed photo with fresh noise.
    ///
    /// - Throws: `EntropyError` where there is no noise to be had: nothing may be sent then; or the runtime's error.
    public func smashed(image: [Float]) throws -> [Float] {
        if !eps.isEmpty { try noise.fill(&eps) }
        return try runner.smashed(image: image, eps: eps)
    }
}

extension Manifest {
    /// Values of eps that a head of this bundle takes for one image, 0 for none.
    public func epsCount() throws -> Int {
        try protection?.eps?.itemCount() ?? 0
    }
}
