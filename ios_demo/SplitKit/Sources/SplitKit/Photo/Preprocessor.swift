/// From a photo's pixels to the head's input, as toolkit/datasets/_preprocess.py computes it on the host.
///
/// The host resizes with Pillow's bilinear filter, which averages over all source pixels when it shrinks a photo. Image
/// frameworks of phones sample four of them, so their result differs visibly; this is the same arithmetic instead: two
/// passes, rows first, with 22-bit fixed-point weights, rounded to 8 bits after each. (Some versions of Pillow take the
/// columns of tall photos first, which moves a value by one grey level at most.)
public struct Preprocessor: Sendable {
    private let how: Manifest.Preprocess

    public init(_ how: Manifest.Preprocess) {
        self.how = how
    }

    /// Turns an upright photo into the head's input.
    ///
    /// - Parameters:
    ///   - rgb: 8-bit red, green, blue, row by row.
    ///   - width, height: of the photo, in pixels.
    /// - Returns: [C,H,W], flat.
    public func tensor(rgb: [UInt8], width: Int, height: Int) -> [Float] {
        precondition(rgb.count == 3 * width * height && width > 0 && height > 0, "pixels do not fit the photo's size")
        let pixels = how.channels == 1 ? Self.grey(rgb) : rgb
        let (columns, rows) = box(width, height)
        let across = Weights(source: width, within: columns, target: how.width)
        let down = Weights(source: height, within: rows, target: how.height)
        // only rows that the second pass reads
        var narrow = [UInt8](repeating: 0, count: height * how.width * how.channels)
        for row in down.firstSource..<down.endSource {
            for (column, taps) in across.taps.enumerated() {
                for channel in 0..<how.channels {
                    narrow[(row * how.width + column) * how.channels + channel] = taps.sum { source in
                        pixels[(row * width + source) * how.channels + channel]
                    }
                }
            }
        }
        var tensor = [Float](repeating: 0, count: how.channels * how.height * how.width)
        for (row, taps) in down.taps.enumerated() {
            for column in 0..<how.width {
                for channel in 0..<how.channels {
                    let value = taps.sum { source in narrow[(source * how.width + column) * how.channels + channel] }
                    tensor[(channel * how.height + row) * how.width + column] =
                        (Float(value) / 255 - Float(how.mean[channel])) / Float(how.std[channel])
                }
            }
        }
        return tensor
    }

    /// The part of the photo that is used, columns and rows; Pillow rounds its corners to float32.
    private func box(_ width: Int, _ height: Int) -> (columns: Range<Float>, rows: Range<Float>) {
        guard how.resize == .centerCrop else { return (0..<Float(width), 0..<Float(height)) }
        let side = min(Double(width) / Double(how.width), Double(height) / Double(how.height))
        let (wide, high) = (side * Double(how.width), side * Double(how.height))
        let (left, top) = ((Double(width) - wide) / 2, (Double(height) - high) / 2)
        return (Float(left)..<Float(left + wide), Float(top)..<Float(top + high))
    }

    /// ITU-R 601 luma in 16-bit fixed point.
    private static func grey(_ rgb: [UInt8]) -> [UInt8] {
        stride(from: 0, to: rgb.count, by: 3).map { at in
            let luma = UInt32(rgb[at]) * 19595 + UInt32(rgb[at + 1]) * 38470 + UInt32(rgb[at + 2]) * 7471
            return UInt8((luma + 0x8000) >> 16)
        }
    }
}

/// The triangle filter's weights along one axis.
private struct Weights {
    private static let precision = 22

    struct Taps {
        let first: Int
        let weights: [Int32]

        @inline(__always)
        func sum(_ pixel: (Int) -> UInt8) -> UInt8 {
            var sum: Int32 = 1 << (Weights.precision - 1)
            for (offset, weight) in weights.enumerated() { sum &+= Int32(pixel(first + offset)) &* weight }
            return UInt8(min(max(sum >> Weights.precision, 0), 255))
        }
    }

    let taps: [Taps]

    var firstSource: Int { taps.map(\.first).min() ?? 0 }
    var endSource: Int { taps.map { $0.first + $0.weights.count }.max() ?? 0 }

    init(source: Int, within part: Range<Float>, target: Int) {
        let step = Double(part.upperBound - part.lowerBound) / Double(target)
        let stretch = max(step, 1)  // shrinking widens the filter over all that one target pixel covers
        let narrow = 1 / stretch  // Pillow multiplies by the reciprocal; dividing rounds differently
        taps = (0..<target).map { index in
            let centre = Double(part.lowerBound) + (Double(index) + 0.5) * step
            let first = max(0, Int(centre - stretch + 0.5))
            let end = min(source, Int(centre + stretch + 0.5))
            let raw = (first..<end).map { max(0, 1 - abs((Double($0) - centre + 0.5) * narrow)) }
            let total = raw.reduce(0, +)
            let fixed = raw.map { Int32(($0 / total * Double(1 << Self.precision)) + 0.5) }
            return Taps(first: first, weights: fixed)
        }
    }
}
