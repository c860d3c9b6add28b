/// Uniform random bits.
protocol BitSource {
    mutating func next() -> UInt64
}

/// Standard normal values from uniform bits: Marsaglia and Tsang's ziggurat with 256 layers of equal area; the same bits on every
/// phone and in Python (tests/contract/noise).
///
/// Exact, the tail included: 53 random bits choose the place inside a layer, values beyond the last layer come from
/// Marsaglia's tail method, whose draws reach past 13 sigma. Source: Marsaglia, Tsang, "The Ziggurat Method for
/// Generating Random Variables", J. Stat. Softw. 5(8), 2000, doi 10.18637/jss.v005.i08.
struct Ziggurat: @unchecked Sendable {
    /// Where the tail begins, for 256 layers; the area of each of them; the density at the tail's beginning.
    static let tailStart = 3.654152885361009
    private static let area = 0.004928673233974656
    private static let densityAtTail = 0.0012602859304985975

    static let shared = Ziggurat()

    // Plain pointers, written once and never freed: an array would cost a check and a count per value.
    /// Per layer: below this integer a draw lies wholly under the curve.
    private let inside: UnsafePointer<Int64>
    /// Per layer: its width divided by 2^53.
    private let step: UnsafePointer<Double>
    /// Per layer: the density at its right edge; one more for the middle of the curve.
    private let density: UnsafePointer<Double>
    /// The tables as the contract has them, 257 doubles each.
    let edges: [Double]
    let densities: [Double]

    private init() {
        var edges = [Self.area / Self.densityAtTail, Self.tailStart]
        var densities = [0, Self.densityAtTail]
        for i in 2..<256 {
            densities.append(densities[i - 1] + Self.area / edges[i - 1])
            edges.append((-2 * Self.ln(densities[i])).squareRoot())
        }
        edges.append(0)
        densities.append(1)
        inside = Self.table((0..<256).map { [edges] in Int64(edges[$0 + 1] / edges[$0] * 0x1p53) })
        step = Self.table((0..<256).map { [edges] in edges[$0] / 0x1p53 })
        density = Self.table(densities)
        (self.edges, self.densities) = (edges, densities)
    }

    private static func table<T>(_ values: [T]) -> UnsafePointer<T> {
        let memory = UnsafeMutablePointer<T>.allocate(capacity: values.count)
        memory.initialize(from: values, count: values.count)
        return UnsafePointer(memory)
    }

    /// The natural logarithm of 0 < x <= 1 by plain arithmetic, each operation rounded by itself: library functions differ in
    /// their last bit.
    ///
    /// Source: ln m = 2 artanh((m - 1) / (m + 1)), its series cut where the next term is below a double's last bit.
    static func ln(_ x: Double) -> Double {
        var exponent = x.exponent + 1
        var m = x.significand / 2
        if m < 0.7071067811865475 {
            m = 2 * m
            exponent -= 1
        }
        let s = (m - 1) / (m + 1)
        let z = s * s
        var p = 1.0 / 27.0
        for d in stride(from: 25, through: 1, by: -2) {
            let product = p * z
            p = product + 1 / Double(d)
        }
        let whole = Double(exponent) * 0.6931471805599453
        let rest = (2 * s) * p
        return whole + rest
    }

    /// One value.
    @inline(__always)
    func normal(_ bits: inout some BitSource) -> Double {
        while true {
            let draw = bits.next()
            let layer = Int(draw & 0xFF)
            let place = Int64(bitPattern: draw >> 11)
            let magnitude = Double(place) * step[layer]
            let sign = (draw & 0x100) << 55
            if place < inside[layer] { return Double(bitPattern: magnitude.bitPattern | sign) }
            if let far = edge(layer, magnitude, &bits) { return Double(bitPattern: far.bitPattern | sign) }
        }
    }

    /// The rare case, 1 draw in 100: at a layer's edge, or in the tail; nil to draw again.
    @inline(never)
    private func edge(_ layer: Int, _ magnitude: Double, _ bits: inout some BitSource) -> Double? {
        if layer == 0 { return Self.tail(&bits) }
        // from the density at this layer's right edge up to that at the next layer's
        let part = Self.unit(&bits) * (density[layer + 1] - density[layer])
        return Self.ln(density[layer] + part) < -0.5 * magnitude * magnitude ? magnitude : nil
    }

    /// A value beyond `tailStart`, of the normal distribution cut off there.
    static func tail(_ bits: inout some BitSource) -> Double {
        while true {
            let a = -ln(unit(&bits)) / tailStart
            let b = -ln(unit(&bits))
            if b + b > a * a { return tailStart + a }
        }
    }

    /// Uniform in (0, 1], 53 bits.
    private static func unit(_ bits: inout some BitSource) -> Double {
        Double((bits.next() >> 11) + 1) * 0x1p-53
    }
}
