/// eps for the protected head: standard normal float32 that nobody can predict and subtract.
///
/// Each photo's noise is stretched by ChaCha20 from a 256-bit key of its own: a fresh one from the operating system's secure
/// generator, or one derived from the photo with a secret of the device. There is no seed to set. The keystream is wiped when a
/// request is done.
///
/// Not thread-safe: give each thread its own.
public final class NoiseSource {
    let keystream = UnsafeMutablePointer<UInt32>.allocate(capacity: Keystream.words)
    private let keys: NoiseKeys

    public init(keys: NoiseKeys = .fresh) {
        self.keys = keys
        keystream.initialize(repeating: 0, count: Keystream.words)
    }

    deinit {
        keystream.deallocate()
    }

    /// Replaces every value of `buffer` by fresh noise.
    ///
    /// - Throws: `EntropyError` where the system's generator fails; the buffer is as it was.
    /// - Parameters:
    ///   - buffer: the head's eps, flat.
    ///   - image: the head's other input, which memoised noise depends on.
    ///   - tensor: which of the head's noise inputs it is for.
    public func fill(_ buffer: inout [Float], image: [Float] = [], tensor: Int = 0) throws {
        try buffer.withUnsafeMutableBufferPointer { try fill($0, image: image, tensor: tensor) }
    }

    /// Replaces every value of `buffer`, e.g. the memory of a model's input, by fresh noise.
    ///
    /// - Throws: `EntropyError` where the system's generator fails; the buffer is as it was.
    public func fill(_ buffer: UnsafeMutableBufferPointer<Float>, image: [Float] = [], tensor: Int = 0) throws {
        // the block counter would repeat after 2^35 words
        precondition(buffer.count < 1 << 32, "one request of noise has at most 2^32 values")
        var bits = Keystream(key: try keys.key(image), tensor: UInt32(tensor), memory: keystream)
        defer { keystream.update(repeating: 0, count: Keystream.words) }
        let ziggurat = Ziggurat.shared
        for index in buffer.indices { buffer[index] = Float(ziggurat.normal(&bits)) }
    }
}

/// ChaCha20's keystream, 64 bits at a time, from memory that is refilled when it has run out.
struct Keystream: BitSource {
    static let words = 16 * ChaCha20.wordsPerCall
    private var stream: ChaCha20
    private let memory: UnsafeMutablePointer<UInt32>
    private var used = words

    init(key: SIMD8<UInt32>, tensor: UInt32 = 0, memory: UnsafeMutablePointer<UInt32>) {
        stream = ChaCha20(key: key, nonce: [tensor, 0, 0])
        self.memory = memory
    }

    @inline(__always)
    mutating func next() -> UInt64 {
        if used == Self.words { refill() }
        let bits = UInt64(memory[used]) | UInt64(memory[used + 1]) << 32
        used += 2
        return bits
    }

    @inline(never)
    private mutating func refill() {
        for start in stride(from: 0, to: Self.words, by: ChaCha20.wordsPerCall) { stream.fill(memory + start) }
        used = 0
    }
}
