/// 8-bit pixels, channel after channel in each.
struct Picture {
    let width: Int
    let height: Int
    let bytes: [UInt8]
}

/// Pillow's resize in 8 bits: two passes, rows first, with 22-bit fixed-point weights, rounded to 8 bits after each; or, for the
/// nearest pixel, no weights at all.
///
/// Source: Pillow, src/libImaging/Resample.c and Geometry.c.
struct PillowResize {
    let channels: Int
    let interpolation: Manifest.Preprocess.Interpolation
    /// Whether a photo that shrinks is averaged over all that one target pixel covers.
    let averages: Bool

    /// - Parameters:
    ///   - columns, rows: the part of the photo that is used.
    func resize(_ photo: some Photo, _ wide: Int, _ high: Int, _ columns: Range<Float>, _ rows: Range<Float>) -> Picture {
        if interpolation == .nearest { return nearest(photo, wide, high, columns, rows) }
        if !averages { return sample(photo, wide, high, columns, rows) }
        let across = Weights(source: photo.width, within: columns, target: wide, bicubic: interpolation == .bicubic)
        let down = Weights(source: photo.height, within: rows, target: high, bicubic: interpolation == .bicubic)
        // only rows that the second pass reads
        var narrow = [UInt8](repeating: 0, count: photo.height * wide * channels)
        for row in down.firstSource..<down.endSource {
            let pixels = self.row(photo, row)
            for (column, taps) in across.taps.enumerated() {
                for channel in 0..<channels {
                    narrow[(row * wide + column) * channels + channel] = taps.sum { pixels[$0 * channels + channel] }
                }
            }
        }
        var bytes = [UInt8](repeating: 0, count: wide * high * channels)
        for (row, taps) in down.taps.enumerated() {
            for place in 0..<wide * channels { bytes[row * wide * channels + place] = taps.sum { narrow[$0 * wide * channels + place] } }
        }
        return Picture(width: wide, height: high, bytes: bytes)
    }

    /// Each target pixel is the one source pixel under its middle; Pillow adds up the steps, and so must this.
    private func nearest(
        _ photo: some Photo, _ wide: Int, _ high: Int, _ columns: Range<Float>, _ rows: Range<Float>
    ) -> Picture {
        func places(_ part: Range<Float>, _ count: Int) -> [Int] {
            let step = Double(part.upperBound - part.lowerBound) / Double(count)
            var at = Double(part.lowerBound) + step * 0.5
            return (0..<count).map { _ in
                defer { at += step }
                return at < 0 ? -1 : Int(at)
            }
        }
        let (across, down) = (places(columns, wide), places(rows, high))
        var bytes = [UInt8](repeating: 0, count: wide * high * channels)
        for (y, row) in down.enumerated() where (0..<photo.height).contains(row) {
            let pixels = self.row(photo, row)
            for (x, column) in across.enumerated() where (0..<photo.width).contains(column) {
                for channel in 0..<channels { bytes[(y * wide + x) * channels + channel] = pixels[column * channels + channel] }
            }
        }
        return Picture(width: wide, height: high, bytes: bytes)
    }

    /// Samples at points, without averaging over what lies between them: Pillow's affine transform, for networks that were trained
    /// so. Neighbours beyond the border are the border.
    private func sample(
        _ photo: some Photo, _ wide: Int, _ high: Int, _ columns: Range<Float>, _ rows: Range<Float>
    ) -> Picture {
        let reach = interpolation == .bicubic ? -1...2 : 0...1
        let across = (Double(columns.upperBound) - Double(columns.lowerBound)) / Double(wide)
        let down = (Double(rows.upperBound) - Double(rows.lowerBound)) / Double(high)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(wide * high * channels)
        var kept: [Int: [UInt8]] = [:]
        for y in 0..<high {
            let at = down * (Double(y) + 0.5) + Double(rows.lowerBound) - 0.5
            let first = Int(at.rounded(.down))
            let wanted = reach.map { min(max(first + $0, 0), photo.height - 1) }
            kept = kept.filter { wanted.contains($0.key) }
            let lines = wanted.map { line in
                let pixels = kept[line] ?? row(photo, line)
                kept[line] = pixels
                return pixels
            }
            for x in 0..<wide {
                let place = across * (Double(x) + 0.5) + Double(columns.lowerBound) - 0.5
                let left = Int(place.rounded(.down))
                let neighbours = reach.map { min(max(left + $0, 0), photo.width - 1) * channels }
                for channel in 0..<channels {
                    let values = lines.map { line in between(neighbours.map { Double(line[$0 + channel]) }, place - Double(left)) }
                    bytes.append(UInt8(min(max(between(values, at - Double(first)), 0), 255)))
                }
            }
        }
        return Picture(width: wide, height: high, bytes: bytes)
    }

    /// The value at share `d` of the way between the middle ones of these neighbours.
    private func between(_ v: [Double], _ d: Double) -> Double {
        guard interpolation == .bicubic else { return v[0] + (v[1] - v[0]) * d }
        let p2 = -v[0] + v[2]
        let p3 = 2 * (v[0] - v[1]) + v[2] - v[3]
        let p4 = -v[0] + v[1] - v[2] + v[3]
        return v[1] + d * (p2 + d * (p3 + d * p4))
    }

    private func row(_ photo: some Photo, _ y: Int) -> [UInt8] {
        var rgb = [UInt8](repeating: 0, count: 3 * photo.width)
        rgb.withUnsafeMutableBufferPointer { photo.row(y, into: $0) }
        return channels == 1 ? Self.grey(rgb) : rgb
    }

    /// ITU-R 601 luma in 16-bit fixed point.
    private static func grey(_ rgb: [UInt8]) -> [UInt8] {
        stride(from: 0, to: rgb.count, by: 3).map { at in
            let luma = UInt32(rgb[at]) * 19595 + UInt32(rgb[at + 1]) * 38470 + UInt32(rgb[at + 2]) * 7471
            return UInt8((luma + 0x8000) >> 16)
        }
    }
}

/// A filter's weights along one axis.
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

    init(source: Int, within part: Range<Float>, target: Int, bicubic: Bool) {
        let step = Double(part.upperBound - part.lowerBound) / Double(target)
        let stretch = max(step, 1)  // shrinking widens the filter over all that one target pixel covers
        let narrow = 1 / stretch  // Pillow multiplies by the reciprocal; dividing rounds differently
        taps = (0..<target).map { index in
            let centre = Double(part.lowerBound) + (Double(index) + 0.5) * step
            let reach = bicubic ? 2 * stretch : stretch
            let first = max(0, Int(centre - reach + 0.5))
            let end = min(source, Int(centre + reach + 0.5))
            let raw = (first..<end).map { source in
                let distance = abs((Double(source) - centre + 0.5) * narrow)
                return bicubic ? Self.bicubic(distance) : max(0, 1 - distance)
            }
            let total = raw.reduce(0, +)
            let fixed = raw.map { weight in
                let scaled = weight / total * Double(1 << Self.precision)
                return Int32(scaled < 0 ? scaled - 0.5 : scaled + 0.5)
            }
            return Taps(first: first, weights: fixed)
        }
    }

    /// Keys' cubic convolution with a = -0.5.
    private static func bicubic(_ x: Double) -> Double {
        let a = -0.5
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
    }
}
