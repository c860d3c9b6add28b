// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.\n
import Foundation
@_exported import ObjectiveC

public enum MLComputeUnits: Int, Sendable { case cpuOnly, cpuAndGPU, all, cpuAndNeuralEngine }
public enum MLMultiArrayDataType: Int, Sendable { case double, float32, float16, int32 }

public class MLModelConfiguration: NSObject {
    public override init() {}
    public var computeUnits: MLComputeUnits { get { fatalError() } set { fatalError() } }
}

public class MLMultiArray: NSObject {
    public init(shape: [NSNumber], dataType: MLMultiArrayDataType) throws { fatalError() }
    public var dataType: MLMultiArrayDataType { fatalError() }
    public var shape: [NSNumber] { fatalError() }
    public var strides: [NSNumber] { fatalError() }
    public var count: Int { fatalError() }
    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { fatalError() }
    public func withUnsafeMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer, [Int]) throws -> R) rethrows -> R { fatalError() }
}

public class MLFeatureValue: NSObject {
    public var multiArrayValue: MLMultiArray? { fatalError() }
}

public protocol MLFeatureProvider {
    var featureNames: Set<String> { get }
    func featureValue(for featureName: String) -> MLFeatureValue?
}

public class MLDictionaryFeatureProvider: NSObject, MLFeatureProvider {
    public init(dictionary: [String: Any]) throws { fatalError() }
    public var featureNames: Set<String> { fatalError() }
    public func featureValue(for featureName: String) -> MLFeatureValue? { fatalError() }
}

public class MLModel: NSObject {
    public class func load(contentsOf url: URL, configuration: MLModelConfiguration) async throws -> MLModel { fatalError() }
    public class func compileModel(at modelURL: URL) async throws -> URL { fatalError() }
    public func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { fatalError() }
}

public final class MLCPUComputeDevice: NSObject, Sendable {}
public final class MLGPUComputeDevice: NSObject, Sendable {}
public final class MLNeuralEngineComputeDevice: NSObject, Sendable {}
public enum MLComputeDevice: Sendable {
    case cpu(MLCPUComputeDevice), gpu(MLGPUComputeDevice), neuralEngine(MLNeuralEngineComputeDevice)
}

public enum MLModelStructure: Sendable {
    public struct Program: Sendable {
        public struct Operation: Sendable { public let operatorName: String }
        public struct Block: Sendable { public let operations: [Operation] }
        public struct Function: Sendable { public let block: Block }
        public let functions: [String: Function]
    }
    case program(Program), unsupported
}

public class MLComputePlan {
    public struct DeviceUsage: Sendable { public let preferred: MLComputeDevice }
    public static func load(contentsOf url: URL, configuration: MLModelConfiguration) async throws -> MLComputePlan { fatalError() }
    public var modelStructure: MLModelStructure { fatalError() }
    public func deviceUsage(for operation: MLModelStructure.Program.Operation) -> DeviceUsage? { fatalError() }
}
