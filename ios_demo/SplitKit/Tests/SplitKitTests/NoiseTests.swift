import XCTest

@testable import SplitKit

final class NoiseTests: XCTestCase {
    /// One million values of the shipped source, with the system's entropy.
    private static let million: [Float] = {
        var buffer = [Float](repeating: 0, count: 1_000_000)
        try! NoiseSource().fill(&buffer)
        return buffer
    }()

    private static let sorted = million.map(Double.init).sorted()

    /// Section 2.3.2 of RFC 8439, block 1, as the first to the fourth of the blocks that one call makes.
    func testKeystreamIsChaCha20() {
        var key = SIMD8<UInt32>()
        for word in key.indices {
            let first = UInt32(word * 4)
            key[word] = first | (first + 1) << 8 | (first + 2) << 16 | (first + 3) << 24
        }
        let nonce = SIMD3<UInt32>(0x0900_0000, 0x4A00_0000, 0)
        let expected: [UInt32] = [
            0xE4E7_F110, 0x1559_3BD1, 0x1FDD_0F50, 0xC471_20A3, 0xC7F4_D1C7, 0x0368_C033, 0x9AAA_2204, 0x4E6C_D4C3,
            0x4664_82D2, 0x09AA_9F07, 0x05D7_C214, 0xA202_8BD9, 0xD19C_12B5, 0xB94E_16DE, 0xE883_D0CB, 0x4E3C_50A2,
        ]
        for block in 0..<4 {
            var stream = ChaCha20(key: key, nonce: nonce, counter: UInt32(bitPattern: Int32(1 - block)))
            var words = [UInt32](repeating: 0, count: ChaCha20.wordsPerCall)
            words.withUnsafeMutableBufferPointer { stream.fill($0.baseAddress!) }
            XCTAssertEqual(Array(words[(16 * block)..<(16 * block + 16)]), expected, "block \(block)")
        }
    }

    func testMeanAndVariance() {
        let values = Self.million.map(Double.init)
        let n = Double(values.count)
        let mean = values.reduce(0, +) / n
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
        let fourth = values.reduce(0) { $0 + pow($1 - mean, 4) } / n / (variance * variance)
        // five standard errors each: one failure in a million runs
        XCTAssertEqual(mean, 0, accuracy: 5 / n.squareRoot())
        XCTAssertEqual(variance, 1, accuracy: 5 * (2 / n).squareRoot())
        XCTAssertEqual(fourth, 3, accuracy: 5 * (24 / n).squareRoot())
    }

    /// The largest distance between the ascending values' distribution and `cdf`, times the root of their number.
    private func kolmogorov(_ sorted: [Double], _ cdf: (Double) -> Double) -> Double {
        let n = Double(sorted.count)
        var largest = 0.0
        for (index, value) in sorted.enumerated() {
            let p = cdf(value)
            largest = max(largest, p - Double(index) / n, Double(index + 1) / n - p)
        }
        return largest * n.squareRoot()
    }

    private func normal(_ x: Double) -> Double { erfc(-x / 2.0.squareRoot()) / 2 }

    /// Kolmogorov-Smirnov: 2.63 is exceeded by a true normal distribution once in a million.
    func testDistributionIsNormal() {
        XCTAssertLessThan(kolmogorov(Self.sorted, normal), 2.63)
    }

    /// The test above can fail: a scale that is off by two per cent is found.
    func testAWrongScaleIsNoticed() {
        XCTAssertGreaterThan(kolmogorov(Self.sorted.map { $0 * 1.02 }, normal), 2.63)
    }

    /// 200,000 values of the tail alone stand for 800 million draws: right beyond six sigma.
    func testTailIsNormalToSixSigma() throws {
        let memory = UnsafeMutablePointer<UInt32>.allocate(capacity: Keystream.words)
        defer { memory.deallocate() }
        var bits = Keystream(key: try SystemEntropy.key(), memory: memory)
        let count = 200_000
        let values = (0..<count).map { _ in Ziggurat.tail(&bits) }.sorted()
        let start = Ziggurat.tailStart
        let beyond = { (x: Double) in erfc(x / 2.0.squareRoot()) / erfc(start / 2.0.squareRoot()) }
        XCTAssertGreaterThanOrEqual(values.min()!, start)
        XCTAssertLessThan(kolmogorov(values) { 1 - beyond($0) }, 2.63)
        for sigma in [4.0, 4.5, 5.0, 5.5, 6.0] {
            let expected = beyond(sigma) * Double(count)
            let found = Double(values.filter { $0 > sigma }.count)
            XCTAssertEqual(found, expected, accuracy: 6 * expected.squareRoot() + 3, "beyond \(sigma) sigma")
        }
    }

    /// Beyond the ziggurat's last layer the shipped source has as many values as it should, on both sides.
    func testTailsAreReached() {
        let expected = 500_000 * erfc(Ziggurat.tailStart / 2.0.squareRoot())
        for sign in [Float(1), -1] {
            let found = Double(Self.million.filter { $0 * sign > Float(Ziggurat.tailStart) }.count)
            XCTAssertEqual(found, expected, accuracy: 5 * expected.squareRoot())
        }
    }

    func testNoTwoDrawsAreAlike() throws {
        let source = NoiseSource()
        var (a, b, c) = ([Float](repeating: 0, count: 4096), [Float](repeating: 0, count: 4096), [Float](repeating: 0, count: 4096))
        try source.fill(&a)
        try source.fill(&b)
        try NoiseSource().fill(&c)
        for (left, right) in [(a, b), (a, c), (b, c)] {
            // independent standard normal values: their product averages to 0 within a standard error of 1/64
            let correlation = zip(left, right).reduce(Float(0)) { $0 + $1.0 * $1.1 } / 4096
            XCTAssertEqual(correlation, 0, accuracy: 5.0 / 64)
            XCTAssertLessThan(zip(left, right).filter { $0.0 == $0.1 }.count, 3)
        }
    }

    func testEachRequestTakesAKeyOfItsOwn() throws {
        final class Count: @unchecked Sendable { var value: UInt32 = 0 }
        let count = Count()
        let source = NoiseSource(
            keys: NoiseKeys { _ in
                defer { count.value += 1 }
                return SIMD8(repeating: count.value)
            })
        var a = [Float](repeating: 0, count: 100_000), b = a
        try source.fill(&a)
        try source.fill(&b)
        XCTAssertEqual(count.value, 2)
        XCTAssertNotEqual(a, b)
        // and the key decides everything
        var again = a
        try NoiseSource(keys: NoiseKeys { _ in SIMD8(repeating: 0) }).fill(&again)
        XCTAssertEqual(a, again)
    }

    func testNoNoiseWithoutEntropy() {
        struct Dry: Error {}
        var buffer: [Float] = [7, 7]
        XCTAssertThrowsError(try NoiseSource(keys: NoiseKeys { _ in throw Dry() }).fill(&buffer))
        XCTAssertEqual(buffer, [7, 7])
    }
}
