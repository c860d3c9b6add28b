#if !canImport(CryptoKit)
    import Foundation

    /// SHA-256 (FIPS 180-4) where CryptoKit does not exist. It checks files against a manifest; it hashes no secrets.
    struct PortableSHA256 {
        private var state: [UInt32] = Self.fractions(of: Self.primes.prefix(8), root: 2)
        private var pending: [UInt8] = []
        private var length: UInt64 = 0
        private var schedule = [UInt32](repeating: 0, count: 64)

        mutating func update(data: Data) {
            length += UInt64(data.count)
            var rest = data[...]
            if !pending.isEmpty {
                let missing = min(64 - pending.count, rest.count)
                pending += rest.prefix(missing)
                rest = rest.dropFirst(missing)
                guard pending.count == 64 else { return }
                pending.withUnsafeBytes { compress($0) }
                pending = []
            }
            rest.withUnsafeBytes { bytes in
                var start = 0
                while start + 64 <= bytes.count {
                    compress(UnsafeRawBufferPointer(rebasing: bytes[start..<start + 64]))
                    start += 64
                }
                pending += bytes[start...]
            }
        }

        mutating func finalize() -> [UInt8] {
            var tail = pending + [0x80]
            tail += [UInt8](repeating: 0, count: (120 - tail.count % 64) % 64)
            tail += withUnsafeBytes(of: (length * 8).bigEndian) { [UInt8]($0) }
            for start in stride(from: 0, to: tail.count, by: 64) {
                tail[start..<start + 64].withUnsafeBytes { compress($0) }
            }
            return state.flatMap { word in withUnsafeBytes(of: word.bigEndian) { [UInt8]($0) } }
        }

        private mutating func compress(_ block: UnsafeRawBufferPointer) {
            for t in 0..<16 { schedule[t] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: 4 * t, as: UInt32.self)) }
            for t in 16..<64 {
                let a = schedule[t - 15], b = schedule[t - 2]
                let low = Self.rotate(a, 7) ^ Self.rotate(a, 18) ^ (a >> 3)
                let high = Self.rotate(b, 17) ^ Self.rotate(b, 19) ^ (b >> 10)
                schedule[t] = schedule[t - 16] &+ low &+ schedule[t - 7] &+ high
            }
            var (a, b, c, d) = (state[0], state[1], state[2], state[3])
            var (e, f, g, h) = (state[4], state[5], state[6], state[7])
            for t in 0..<64 {
                let sum1 = Self.rotate(e, 6) ^ Self.rotate(e, 11) ^ Self.rotate(e, 25)
                let choice = (e & f) ^ (~e & g)
                let first = h &+ sum1 &+ choice &+ Self.constants[t] &+ schedule[t]
                let sum0 = Self.rotate(a, 2) ^ Self.rotate(a, 13) ^ Self.rotate(a, 22)
                let majority = (a & b) ^ (a & c) ^ (b & c)
                (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ sum0 &+ majority)
            }
            for (index, word) in [a, b, c, d, e, f, g, h].enumerated() { state[index] &+= word }
        }

        @inline(__always)
        private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 {
            (word >> count) | (word << (32 - count))
        }

        // The standard defines its constants as the fractional parts of roots of primes; so they are computed, not copied.
        private static let constants = fractions(of: primes[...], root: 3)

        private static let primes: [UInt64] = {
            var found: [UInt64] = []
            var candidate: UInt64 = 2
            while found.count < 64 {
                if found.allSatisfy({ candidate % $0 != 0 }) { found.append(candidate) }
                candidate += 1
            }
            return found
        }()

        /// The first 32 bits behind the point of each prime's square or cube root, by bisection in integers.
        private static func fractions(of primes: ArraySlice<UInt64>, root: Int) -> [UInt32] {
            primes.map { prime in
                // the largest r with r^root <= prime * 2^(32 * root)
                var low: UInt64 = 0
                var high: UInt64 = 1 << 37
                while high - low > 1 {
                    let middle = (low + high) / 2
                    if isAtMost(middle, root, prime) { low = middle } else { high = middle }
                }
                return UInt32(truncatingIfNeeded: low)
            }
        }

        /// Whether r^root <= prime * 2^(32 * root), in 192 bits.
        private static func isAtMost(_ r: UInt64, _ root: Int, _ prime: UInt64) -> Bool {
            let square = r.multipliedFullWidth(by: r)
            if root == 2 { return square.high < prime || (square.high == prime && square.low == 0) }
            let low = square.low.multipliedFullWidth(by: r)
            let high = square.high.multipliedFullWidth(by: r)
            let (middle, carry) = low.high.addingReportingOverflow(high.low)
            let top = high.high + (carry ? 1 : 0)
            // prime * 2^96 is prime << 32 in the middle word
            let (limitTop, limitMiddle) = (prime >> 32, prime << 32)
            if top != limitTop { return top < limitTop }
            return middle < limitMiddle || (middle == limitMiddle && low.low == 0)
        }
    }
#endif
