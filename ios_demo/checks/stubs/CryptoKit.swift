// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.\n
import Foundation

public struct SHA256 {
    public init() {}
    public mutating func update<D: DataProtocol>(data: D) { fatalError() }
    public func finalize() -> SHA256Digest { fatalError() }
}

public struct SHA256Digest: Sequence {
    public func makeIterator() -> Array<UInt8>.Iterator { fatalError() }
}
