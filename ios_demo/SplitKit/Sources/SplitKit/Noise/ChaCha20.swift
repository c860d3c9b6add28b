/// The keystream of ChaCha20 (RFC 8439), four blocks at a time, one per lane.
///
/// A block's words lie four apart: word w of block b at 4 * w + b. The order is of no account for noise, and saves
/// a transposition.
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
        let blocks = Lanes(counter, counter &+ 1, counter &+ 2, counter &+ 3)
        let k = key
        let n = nonce
        var x0 = Lanes(repeating: 0x6170_7865), x1 = Lanes(repeating: 0x3320_646E)
        var x2 = Lanes(repeating: 0x7962_2D32), x3 = Lanes(repeating: 0x6B20_6574)
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
        let to = UnsafeMutableRawPointer(out)
        func put(_ index: Int, _ lanes: Lanes) { to.storeBytes(of: lanes, toByteOffset: 16 * index, as: Lanes.self) }
        put(0, x0 &+ Lanes(repeating: 0x6170_7865))
        put(1, x1 &+ Lanes(repeating: 0x3320_646E))
        put(2, x2 &+ Lanes(repeating: 0x7962_2D32))
        put(3, x3 &+ Lanes(repeating: 0x6B20_6574))
        put(4, x4 &+ Lanes(repeating: k[0]))
        put(5, x5 &+ Lanes(repeating: k[1]))
        put(6, x6 &+ Lanes(repeating: k[2]))
        put(7, x7 &+ Lanes(repeating: k[3]))
        put(8, x8 &+ Lanes(repeating: k[4]))
        put(9, x9 &+ Lanes(repeating: k[5]))
        put(10, x10 &+ Lanes(repeating: k[6]))
        put(11, x11 &+ Lanes(repeating: k[7]))
        put(12, x12 &+ blocks)
        put(13, x13 &+ Lanes(repeating: n[0]))
        put(14, x14 &+ Lanes(repeating: n[1]))
        put(15, x15 &+ Lanes(repeating: n[2]))
        counter &+= 4
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
