#!/usr/bin/env python3
"""Write torchvision.json: how torchvision and Pillow prepare generated pictures for networks.

    apt-get install python3-torch python3-torchvision
    /usr/bin/python3 prepare.py torchvision.json

Byte i of a picture (h × w × RGB, row-major) is floor(256 u_i), u = `fill` of the goldens (../golden/README.md) with seed "golden", name "photo/WxH".
For each case: Resize(resize), CenterCrop(crop), then `md5` of the resulting bytes (row-major, RGB), and samples of the tensor after
ToTensor and Normalize with ImageNet's mean and standard deviation: [flat index in C×H×W, value].
"""
import hashlib, json, pathlib, sys
import numpy as np
import torch
from PIL import Image
from torchvision import transforms as T
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "golden"))
from make import fill

CASES = [(300, 200, 256, 224), (211, 307, 256, 224), (640, 483, 256, 227), (97, 90, 256, 224), (257, 256, 256, 227),
         (47, 31, 32, 32), (32, 32, 32, 32), (1, 5, 32, 32), (333, 100, 32, 32), (1024, 771, 256, 224)]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

out = []
for width, height, resize, crop in CASES:
    bytes_ = np.floor(fill("golden", f"photo/{width}x{height}", (height, width, 3), 0.0, 256.0)).astype(np.uint8)
    picture = T.CenterCrop(crop)(T.Resize(resize)(Image.fromarray(bytes_)))
    tensor = T.Normalize(MEAN, STD)(T.ToTensor()(picture)).reshape(-1)
    at = (fill("golden", f"sample/{width}x{height}", (12,), 0.0, 1.0).astype(np.float64) * tensor.numel()).astype(int)
    out.append({"width": width, "height": height, "resize": resize, "crop": crop,
                "md5": hashlib.md5(np.asarray(picture).tobytes()).hexdigest(),
                "samples": [[int(i), float(tensor[int(i)])] for i in at]})
pathlib.Path(sys.argv[1]).write_text(json.dumps(out, separators=(",", ":")) + "\n")
