import Foundation

#if canImport(CryptoKit)
    import CryptoKit
#endif

/// A secret of this device alone, which never leaves it: in the Keychain on Apple's systems.
public struct DeviceSecret: Sendable {
    /// HMAC-SHA-256 of a message under the secret, 32 bytes.
    public let hmac: @Sendable (Data) throws -> Data

    public init(hmac: @escaping @Sendable (Data) throws -> Data) { self.hmac = hmac }

    /// A secret that the caller holds, such as that of a bundle's goldens.
    public init(bytes: Data) {
        hmac = { message in HMACSHA256.code(of: message, key: bytes) }
    }
}

/// Where the key of a photo's noise comes from.
public struct NoiseKeys: Sendable {
    /// 256 bits for a preprocessed photo [C,H,W], flat.
    ///
    /// - Throws: where the system gives no randomness; nothing may be sent then.
    let key: @Sendable ([Float]) throws -> SIMD8<UInt32>

    init(key: @escaping @Sendable ([Float]) throws -> SIMD8<UInt32>) { self.key = key }

    /// A new key for each request, from the system's secure generator.
    public static let fresh = NoiseKeys { _ in try SystemEntropy.key() }

    /// The same key for the same photo on the same device, so that sending it again reveals nothing more ("pripro-eps-1").
    ///
    /// The bundle is part of it: two heads that drew the same noise for a photo would let the server subtract their messages and
    /// cancel it. The photo's hash stands for the photo, so that a hardware key store sees 76 bytes.
    public static func memoised(secret: DeviceSecret, bundleID: String) -> NoiseKeys {
        let prefix = Data("pripro-eps-1".utf8) + Hexadecimal.bytes(bundleID)
        return NoiseKeys { image in
            words(try secret.hmac(prefix + Hexadecimal.bytes(SHA256.hexadecimal(of: LittleEndian.data(image)))))
        }
    }

    /// What a bundle asks for.
    ///
    /// - Throws: `BundleError`: memoised noise, and this device has no secret for it.
    public static func of(_ manifest: Manifest, secret: DeviceSecret?) throws -> NoiseKeys {
        guard manifest.protection?.noise == .memoised else { return .fresh }
        guard let secret else {
            throw BundleError("This bundle's noise is memoised and needs a secret of the device; give the client one.")
        }
        return .memoised(secret: secret, bundleID: manifest.bundleID)
    }

    static func words(_ bytes: Data) -> SIMD8<UInt32> {
        var key = SIMD8<UInt32>()
        for (index, byte) in bytes.prefix(32).enumerated() { key[index / 4] |= UInt32(byte) << UInt32(8 * (index % 4)) }
        return key
    }
}

/// HMAC (RFC 2104): CryptoKit's on Apple systems, two hashes elsewhere.
enum HMACSHA256 {
    static func code(of message: Data, key: Data) -> Data {
        #if canImport(CryptoKit)
            return Data(HMAC<CryptoKit.SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key)))
        #else
            let short = key.count > 64 ? Hexadecimal.bytes(SHA256.hexadecimal(of: key)) : key
            let block = short + Data(count: 64 - short.count)
            func hash(_ data: Data) -> Data { Hexadecimal.bytes(SHA256.hexadecimal(of: data)) }
            return hash(Data(block.map { $0 ^ 0x5C }) + hash(Data(block.map { $0 ^ 0x36 }) + message))
        #endif
    }
}

/// Bytes as two digits each.
enum Hexadecimal {
    static func bytes(_ text: String) -> Data {
        let digits = text.utf8.map { UInt8($0 > 0x39 ? ($0 | 0x20) - 0x57 : $0 - 0x30) }
        return Data(stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    }
}
