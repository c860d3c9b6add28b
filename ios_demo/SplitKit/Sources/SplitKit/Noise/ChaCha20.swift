/// The keystream of ChaCha20 (RFC 8439), four blocks at a time, one per lane, in the standard's order.
///
/// CryptoKit has ChaCha20 only inside ChaChaPoly, which keeps block 0 for itself; memoised noise needs the stream from block 0
/// on, the same bytes as on Android and in Python, so this one is used on Apple's systems, too.
struct ChaCha20 {
    typealias Lanes = SIMD4<UInt32>

    /// 32-bit words that one call of `fill` makes.
    static let wordsPerCall = 64

    private let key: SIMD8<UInt32>
    private let nonce: SIMD3<UInt32>
    private var counter: UInt32

    init(key: SIMD8<UInt32>, nonce: SIMD3<UInt32> = .zero, counter: UInt32 = 0) {
        self.key = key
        self.nonce = nonce
        self.counter = counter
    }

    /// Writes the next four blocks, `wordsPerCall` words.
    @inline(__always)
    mutating func fill(_ out: UnsafeMutablePointer<UInt32>) {
        let k = key
        let n = nonce
        let constants = (Lanes(repeating: 0x6170_7865), Lanes(repeating: 0x3320_646E), Lanes(repeating: 0x7962_2D32), Lanes(repeating: 0x6B20_6574))
        let blocks = Lanes(counter, counter &+ 1, counter &+ 2, counter &+ 3)
        var x0 = constants.0, x1 = constants.1, x2 = constants.2, x3 = constants.3
        var x4 = Lanes(repeating: k[0]), x5 = Lanes(repeating: k[1])
        var x6 = Lanes(repeating: k[2]), x7 = Lanes(repeating: k[3])
        var x8 = Lanes(repeating: k[4]), x9 = Lanes(repeating: k[5])
        var x10 = Lanes(repeating: k[6]), x11 = Lanes(repeating: k[7])
        var x12 = blocks, x13 = Lanes(repeating: n[0])
        var x14 = Lanes(repeating: n[1]), x15 = Lanes(repeating: n[2])
        for _ in 0..<10 {
            Self.quarter(&x0, &x4, &x8, &x12)
            Self.quarter(&x1, &x5, &x9, &x13)
            Self.quarter(&x2, &x6, &x10, &x14)
            Self.quarter(&x3, &x7, &x11, &x15)
            Self.quarter(&x0, &x5, &x10, &x15)
            Self.quarter(&x1, &x6, &x11, &x12)
            Self.quarter(&x2, &x7, &x8, &x13)
            Self.quarter(&x3, &x4, &x9, &x14)
        }
        Self.store(x0 &+ constants.0, x1 &+ constants.1, x2 &+ constants.2, x3 &+ constants.3, out)
        Self.store(
            x4 &+ Lanes(repeating: k[0]), x5 &+ Lanes(repeating: k[1]), x6 &+ Lanes(repeating: k[2]),
            x7 &+ Lanes(repeating: k[3]), out + 4)
        Self.store(
            x8 &+ Lanes(repeating: k[4]), x9 &+ Lanes(repeating: k[5]), x10 &+ Lanes(repeating: k[6]),
            x11 &+ Lanes(repeating: k[7]), out + 8)
        Self.store(
            x12 &+ blocks, x13 &+ Lanes(repeating: n[0]), x14 &+ Lanes(repeating: n[1]), x15 &+ Lanes(repeating: n[2]), out + 12)
        counter &+= 4
    }

    /// Writes four neighbouring words of each of the four blocks: lanes across become words along.
    @inline(__always)
    private static func store(_ a: Lanes, _ b: Lanes, _ c: Lanes, _ d: Lanes, _ out: UnsafeMutablePointer<UInt32>) {
        for block in 0..<4 {
            UnsafeMutableRawPointer(out + 16 * block).storeBytes(of: Lanes(a[block], b[block], c[block], d[block]), as: Lanes.self)
        }
    }

    @inline(__always)
    private static func quarter(_ a: inout Lanes, _ b: inout Lanes, _ c: inout Lanes, _ d: inout Lanes) {
        a &+= b
        d = rotate(d ^ a, 16)
        c &+= d
        b = rotate(b ^ c, 12)
        a &+= b
        d = rotate(d ^ a, 8)
        c &+= d
        b = rotate(b ^ c, 7)
    }

    @inline(__always)
    private static func rotate(_ lanes: Lanes, _ count: UInt32) -> Lanes {
        (lanes &<< count) | (lanes &>> (32 - count))
    }
}
