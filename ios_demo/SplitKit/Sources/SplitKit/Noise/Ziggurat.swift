import Foundation

/// Uniform random bits.
protocol BitSource {
    mutating func next() -> UInt64
}

/// Standard normal values from uniform bits: Marsaglia and Tsang's ziggurat with 256 layers of equal area.
///
/// Exact, the tail included: 52 random bits choose the place inside a layer, values beyond the last layer come from
/// Marsaglia's tail method, whose draws reach past 13 sigma. Source: Marsaglia, Tsang, "The Ziggurat Method for
/// Generating Random Variables", J. Stat. Softw. 5(8), 2000, doi 10.18637/jss.v005.i08.
struct Ziggurat: @unchecked Sendable {
    /// Where the tail begins, for 256 layers.
    static let tailStart = 3.654152885361009

    static let shared = Ziggurat()

    // Plain pointers, written once and never freed: an array would cost a check and a count per value.
    /// Per layer: below this integer a draw lies wholly under the curve.
    private let inside: UnsafePointer<UInt64>
    /// Per layer: its width divided by 2^52.
    private let step: UnsafePointer<Double>
    /// Per layer: the density at its right edge; one more for the middle of the curve.
    private let density: UnsafePointer<Double>
    /// What the innermost layer's area misses of the others'; 0 but for rounding if `tailStart` is right.
    let closure: Double

    private init() {
        let r = Self.tailStart
        let f = { (x: Double) in exp(-x * x / 2) }
        let area = r * f(r) + (Double.pi / 2).squareRoot() * erfc(r / 2.0.squareRoot())
        // the right edges; layer 0 is the base strip with the tail, as wide as a rectangle of its area
        var edges = [area / f(r), r]
        while edges.count < 256 {
            let x = edges[edges.count - 1]
            edges.append((-2 * log(area / x + f(x))).squareRoot())
        }
        closure = edges[255] * (1 - f(edges[255])) / area - 1
        edges.append(0)
        inside = Self.table((0..<256).map { UInt64(edges[$0 + 1] / edges[$0] * 0x1p52) })
        step = Self.table((0..<256).map { edges[$0] * 0x1p-52 })
        density = Self.table(edges.map(f))
    }

    private static func table<T>(_ values: [T]) -> UnsafePointer<T> {
        let memory = UnsafeMutablePointer<T>.allocate(capacity: values.count)
        memory.initialize(from: values, count: values.count)
        return UnsafePointer(memory)
    }

    /// One value.
    @inline(__always)
    func normal(_ bits: inout some BitSource) -> Double {
        while true {
            let draw = bits.next()
            let layer = Int(draw & 0xFF)
            let place = draw >> 12
            let magnitude = Double(Int64(bitPattern: place)) * step[layer]
            let sign = (draw & 0x100) << 55
            if place < inside[layer] { return Double(bitPattern: magnitude.bitPattern | sign) }
            if let far = edge(layer, magnitude, &bits) { return Double(bitPattern: far.bitPattern | sign) }
        }
    }

    /// The rare case, 1 draw in 100: at a layer's edge, or in the tail; nil to draw anew.
    @inline(never)
    private func edge(_ layer: Int, _ magnitude: Double, _ bits: inout some BitSource) -> Double? {
        if layer == 0 { return Self.tail(&bits) }
        // from the density at this layer's right edge up to that at the next layer's
        let height = density[layer] + Self.unit(&bits) * (density[layer + 1] - density[layer])
        return height < exp(-magnitude * magnitude / 2) ? magnitude : nil
    }

    /// A value beyond `tailStart`, of the normal distribution cut off there.
    static func tail(_ bits: inout some BitSource) -> Double {
        while true {
            let x = -log(unit(&bits)) / tailStart
            let y = -log(unit(&bits))
            if y + y > x * x { return tailStart + x }
        }
    }

    /// Uniform in (0, 1], 53 bits.
    private static func unit(_ bits: inout some BitSource) -> Double {
        Double((bits.next() >> 11) + 1) * 0x1p-53
    }
}
