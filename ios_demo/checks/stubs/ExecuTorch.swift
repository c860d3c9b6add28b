// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.\n
import Foundation
@_exported import ObjectiveC

public protocol Scalar {}
extension Float: Scalar {}
extension UInt8: Scalar {}

public protocol ValueConvertible {}

public final class Tensor<T: Scalar>: ValueConvertible {
    public init(_ scalars: [T], shape: [Int] = [], strides: [Int] = [], dimensionOrder: [Int] = []) { fatalError() }
    public func scalars() -> [T] { fatalError() }
}

public final class Value: ValueConvertible {
    public func tensor<T: Scalar>() -> Tensor<T>? { fatalError() }
}

public enum ModuleLoadMode: Int, Sendable { case file, mmap, mmapUseMlock, mmapUseMlockIgnoreErrors }

public class Module {
    public init(filePath: String, loadMode: ModuleLoadMode) { fatalError() }
    public func load(_ method: String) throws { fatalError() }
    public func forward(_ inputs: [ValueConvertible]) throws -> [Value] { fatalError() }
}
