#if canImport(Security)
    import Security
#endif

/// The operating system refused to give random bytes; nothing may be sent then.
public struct EntropyError: Error {
    public let status: Int
}

/// The operating system's secure generator, the only origin of randomness here.
enum SystemEntropy {
    /// 256 fresh bits.
    ///
    /// - Throws: `EntropyError` where the system gives none; the caller must not go on.
    static func key() throws -> SIMD8<UInt32> {
        var key = SIMD8<UInt32>()
        #if canImport(Security)
            let status = withUnsafeMutableBytes(of: &key) { SecRandomCopyBytes(kSecRandomDefault, $0.count, $0.baseAddress!) }
            guard status == errSecSuccess else { throw EntropyError(status: Int(status)) }
        #else
            var generator = SystemRandomNumberGenerator()  // getrandom(2) on Linux
            for index in key.indices { key[index] = generator.next() }
        #endif
        return key
    }
}
