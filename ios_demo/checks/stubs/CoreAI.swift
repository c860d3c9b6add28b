// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.
// Written after Apple's documentation of Core AI (iOS 27) of November 2026; no Swift interface was at hand.

import Foundation

public struct NDArray {
    public enum ScalarType: Sendable { case float16, float32, int32, uint8 }
    public struct InterleaveLayout: Equatable {}

    public struct View<Element: BitwiseCopyable> {
        public var interleaveLayout: NDArray.InterleaveLayout? { fatalError() }
        public func withUnsafePointer<R, E: Error>(
            _ body: (UnsafePointer<Element>, Span<Int>, Span<Int>) throws(E) -> R
        ) throws(E) -> R { fatalError() }
    }

    public init<Scalar: BitwiseCopyable>(scalars: some Sequence<Scalar>, shape: [Int]) { fatalError() }
    public var scalarType: ScalarType { fatalError() }
    public func view<T: BitwiseCopyable>(as type: T.Type = T.self) -> View<T> { fatalError() }
}

public struct InferenceValue: ~Copyable {
    public var ndArray: NDArray? { consuming get { fatalError() } }
}

public struct InferenceFunction: Sendable {
    public struct MutableViews: ~Copyable {
        public init() { fatalError() }
    }
    public struct Outputs: ~Copyable {
        public mutating func remove(_ outputName: String) -> InferenceValue? { fatalError() }
    }
    public func run(
        inputs: [String: NDArray], states: consuming MutableViews = MutableViews(), outputViews: consuming MutableViews = MutableViews()
    ) async throws -> Outputs { fatalError() }
}

public struct SpecializationOptions: Sendable {
    public static let `default` = SpecializationOptions()
}

public struct AIModel: Sendable {
    public init(contentsOf modelURL: URL, options: SpecializationOptions = .default) async throws { fatalError() }
    public func loadFunction(named functionName: String) throws -> InferenceFunction? { fatalError() }
}
