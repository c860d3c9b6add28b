// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.\n
public typealias OSStatus = Int32
public let errSecSuccess: OSStatus = 0
public final class SecRandom: Sendable {}
public typealias SecRandomRef = SecRandom
public let kSecRandomDefault: SecRandomRef? = nil
public func SecRandomCopyBytes(_ rnd: SecRandomRef?, _ count: Int, _ bytes: UnsafeMutableRawPointer) -> Int32 { fatalError() }
