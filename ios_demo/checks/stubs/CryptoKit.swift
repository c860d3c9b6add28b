// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.\n
import Foundation

public protocol HashFunction {}
public struct SymmetricKey { public init<D: ContiguousBytes>(data: D) { fatalError() } }
public struct HashedAuthenticationCode<H: HashFunction>: Sequence { public func makeIterator() -> Array<UInt8>.Iterator { fatalError() } }
public struct HMAC<H: HashFunction> {
    public static func authenticationCode<D: DataProtocol>(for data: D, using key: SymmetricKey) -> HashedAuthenticationCode<H> { fatalError() }
}

public struct SHA256: HashFunction {
    public init() {}
    public mutating func update<D: DataProtocol>(data: D) { fatalError() }
    public func finalize() -> SHA256Digest { fatalError() }
}

public struct SHA256Digest: Sequence {
    public func makeIterator() -> Array<UInt8>.Iterator { fatalError() }
}
