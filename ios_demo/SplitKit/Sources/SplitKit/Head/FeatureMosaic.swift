/// What leaves the phone, as a grey picture: the channels side by side, each from its least value (black) to its
/// largest (white).
public struct FeatureMosaic: Sendable, Equatable {
    public let width: Int
    public let height: Int
    /// One byte a pixel, row by row.
    public let grey: [UInt8]

    /// - Parameters:
    ///   - smashed: features [C,h,w], flat.
    ///   - shape: [C,h,w]; features of any other shape are drawn as one row.
    ///   - most: channels shown at most, the first ones.
    public init(smashed: [Float], shape: [Int], most: Int = 64) {
        precondition(smashed.count == shape.reduce(1, *), "features do not fit their shape")
        let shape = shape.count == 3 ? shape : [1, 1, smashed.count]
        let (channels, high, wide) = (min(shape[0], most), shape[1], shape[2])
        var columns = 1
        while columns * columns < channels { columns += 1 }
        let rows = (channels + columns - 1) / columns
        // one black line between neighbours
        let (width, height) = (columns * (wide + 1) - 1, rows * (high + 1) - 1)
        var grey = [UInt8](repeating: 0, count: width * height)
        for channel in 0..<channels {
            let values = smashed[(channel * high * wide)..<((channel + 1) * high * wide)]
            let (low, top) = (values.min() ?? 0, values.max() ?? 0)
            let (left, upper) = (channel % columns * (wide + 1), channel / columns * (high + 1))
            for (offset, value) in values.enumerated() {
                let share = top > low ? (value - low) / (top - low) : 0
                grey[(upper + offset / wide) * width + left + offset % wide] = UInt8((share * 255).rounded())
            }
        }
        (self.width, self.height, self.grey) = (width, height, grey)
    }
}
