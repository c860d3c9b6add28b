import SplitKit
import SwiftUI
import UIKit

/// A photo as upright pixels, made small enough to be kept twice.
struct Photo: Sendable {
    let rgb: [UInt8]
    let width: Int
    let height: Int

    /// Longest side kept; the head's input is a few hundred pixels at most.
    private static let longest = 1024.0

    init?(_ image: UIImage) {
        let scale = min(1, Self.longest / max(image.size.width * image.scale, image.size.height * image.scale))
        let width = Int((image.size.width * image.scale * scale).rounded())
        let height = Int((image.size.height * image.scale * scale).rounded())
        guard width > 0, height > 0 else { return nil }
        var rgba = [UInt8](repeating: 0, count: 4 * width * height)
        let drawn = rgba.withUnsafeMutableBytes { memory in
            guard
                let context = CGContext(
                    data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width,
                    space: CGColorSpaceCreateDeviceRGB(), bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
            else { return false }
            context.interpolationQuality = .high
            // UIKit draws a camera's photo the right way up; its origin is the upper left, Core Graphics' the lower left
            context.translateBy(x: 0, y: CGFloat(height))
            context.scaleBy(x: 1, y: -1)
            UIGraphicsPushContext(context)
            image.draw(in: CGRect(x: 0, y: 0, width: CGFloat(width), height: CGFloat(height)))
            UIGraphicsPopContext()
            return true
        }
        guard drawn else { return nil }
        var rgb = [UInt8](repeating: 0, count: 3 * width * height)
        for pixel in 0..<width * height {
            for channel in 0..<3 { rgb[3 * pixel + channel] = rgba[4 * pixel + channel] }
        }
        (self.rgb, self.width, self.height) = (rgb, width, height)
    }
}

extension FeatureMosaic {
    /// The mosaic as a picture.
    var image: CGImage? {
        var pixels = grey
        return pixels.withUnsafeMutableBytes { memory in
            CGContext(
                data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width,
                space: CGColorSpaceCreateDeviceGray(), bitmapInfo: CGImageAlphaInfo.none.rawValue
            )?.makeImage()
        }
    }
}
