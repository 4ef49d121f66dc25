"""One side of `cargo xtask bench --peer`: the same networks in PyTorch, on the same weights and inputs.

    python3 networks.py WORK FOLDER [--device cpu] [--threads 2] [--compile]

Loads FOLDER/weights.safetensors and FOLDER/inputs.safetensors, prints what it computed, and then does one run for every
line "run" on standard input, with its time. The U-Net is MONAI's own; the EGNN is written here from the formulas of
Hoogeboom et al. 2022 in the formulation that their code uses: every edge of the padded complete graph, the first edge
layer on the concatenation of both atoms' features. Needs torch, safetensors and monai.
"""

import argparse
import json
import pathlib
import resource
import sys
import time

import torch
from safetensors.torch import load_file
from torch import nn

MOLECULES, ATOMS, WIDTH, LAYERS, RANGE = 64, 19, 256, 9, 15.0


def two_layers(inputs, outputs, last=True):
    layers = [nn.Linear(inputs, WIDTH), nn.SiLU(), nn.Linear(WIDTH, outputs)]
    return nn.Sequential(*layers, nn.SiLU()) if last else nn.Sequential(*layers)


def sum_to(rows, index, count):
    out = rows.new_zeros(count, rows.shape[1])
    return out.scatter_add(0, index[:, None].expand_as(rows), rows)


class Messages(nn.Module):
    def __init__(self):
        super().__init__()
        self.edge_mlp = two_layers(2 * WIDTH + 2, WIDTH)
        self.node_mlp = two_layers(2 * WIDTH, WIDTH, last=False)
        self.att_mlp = nn.Sequential(nn.Linear(WIDTH, 1), nn.Sigmoid())

    def forward(self, h, edges, distances):
        i, j = edges
        message = self.edge_mlp(torch.cat([h[i], h[j], distances], 1))
        message = message * self.att_mlp(message)
        return h + self.node_mlp(torch.cat([h, sum_to(message, i, len(h))], 1))


class Coordinates(nn.Module):
    def __init__(self):
        super().__init__()
        self.coord_mlp = nn.Sequential(
            nn.Linear(2 * WIDTH + 2, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, 1, bias=False)
        )

    def forward(self, h, x, edges, direction, distances):
        i, j = edges
        weight = torch.tanh(self.coord_mlp(torch.cat([h[i], h[j], distances], 1))) * RANGE
        return x + sum_to(direction * weight, i, len(h))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.gcl_0 = Messages()
        self.gcl_equiv = Coordinates()

    def forward(self, h, x, edges, first):
        difference = x[edges[0]] - x[edges[1]]
        square = (difference**2).sum(1, keepdim=True)
        distances = torch.cat([square, first], 1)
        h = self.gcl_0(h, edges, distances)
        direction = difference / ((square + 1e-8).sqrt() + 1)
        return h, self.gcl_equiv(h, x, edges, direction, distances)


class Egnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Linear(7, WIDTH)
        self.embedding_out = nn.Linear(WIDTH, 7)
        self.blocks = [f"e_block_{k}" for k in range(LAYERS)]
        for name in self.blocks:
            self.add_module(name, Block())
        pairs = torch.cartesian_prod(torch.arange(ATOMS), torch.arange(ATOMS))
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        every = torch.arange(MOLECULES)[:, None, None] * ATOMS + pairs[None]
        self.register_buffer("edges", every.reshape(-1, 2).T.contiguous(), persistent=False)

    def forward(self, positions, features):
        edges = tuple(self.edges)
        first = ((positions[edges[0]] - positions[edges[1]]) ** 2).sum(1, keepdim=True)
        h, x = self.embedding(features), positions
        for name in self.blocks:
            h, x = getattr(self, name)(h, x, edges, first)
        velocity = (x - positions).reshape(MOLECULES, ATOMS, 3)
        velocity = (velocity - velocity.mean(1, keepdim=True)).reshape(-1, 3)
        return torch.cat([velocity, self.embedding_out(h)[:, :6]], 1)


class Wrapped(nn.Module):
    """Puts a module under names like dynamics.egnn."""

    def __init__(self, *names, module):
        super().__init__()
        self.path = names
        inner = module
        for name in reversed(names[1:]):
            outer = nn.Module()
            outer.add_module(name, inner)
            inner = outer
        self.add_module(names[0], inner)
        self.module = [module]

    def forward(self, *inputs):
        return self.module[0](*inputs)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        from monai.networks.nets import DiffusionModelUNet

        self.net = DiffusionModelUNet(
            spatial_dims=3, in_channels=1, out_channels=1, channels=(32, 64, 128), num_res_blocks=(2, 2, 2),
            attention_levels=(False,) * 3, num_head_channels=(32, 64, 128), norm_num_groups=16,
        )

    def load_state_dict(self, state, **more):
        return self.net.load_state_dict(state, **more)

    def forward(self, x):
        return self.net(x, torch.full((1,), 500, device=x.device)).reshape(1, -1)


class Conv(nn.Conv3d):
    def __init__(self):
        super().__init__(32, 32, 3, padding=1)

    def forward(self, x):
        return super().forward(x)


def network(work):
    kind = work.removesuffix("-train")
    if kind == "egnn":
        return Wrapped("dynamics", "egnn", module=Egnn())
    return UNet() if kind == "unet" else Conv()


class Side:
    def __init__(self, work, folder, device, compiled):
        self.device, self.train = device, work.endswith("-train")
        self.net = network(work).to(device)
        self.net.load_state_dict(load_file(folder / "weights.safetensors", device=device))
        inputs = load_file(folder / "inputs.safetensors", device=device)
        self.conv = work.startswith("conv3d")
        if work.startswith("egnn"):
            self.inputs = [inputs["positions"], inputs["features"]]
        elif self.conv:
            self.inputs = [inputs["x"].permute(0, 4, 1, 2, 3).contiguous()]
        else:
            self.inputs = [inputs["x"]]
        if self.train:
            if self.conv:
                self.inputs[0].requires_grad_()
            self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1e-3, weight_decay=0.01)
        self.run_net = torch.compile(self.net) if compiled else self.net

    def run(self):
        if not self.train:
            with torch.inference_mode():
                out = self.run_net(*self.inputs)
            return out
        self.optimizer.zero_grad(set_to_none=True)
        if self.conv:
            self.inputs[0].grad = None
        loss = (self.run_net(*self.inputs) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.detach().reshape(1)

    def check(self):
        out = self.run()
        if self.train:
            return [float(out), float(self.run())]
        if self.conv:
            out = out.permute(0, 2, 3, 4, 1)
        out = out.flatten()
        # Every k-th value, some thousands in all, as the other side does.
        return out[:: max(1, -(-len(out) // 4096))].tolist()

    def timed(self):
        if self.device != "cpu":
            torch.cuda.synchronize()
        begin = time.perf_counter()
        self.run()
        if self.device != "cpu":
            torch.cuda.synchronize()
        return (time.perf_counter() - begin) * 1e3


def resident():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    side = Side(options.work, options.folder, options.device, options.compile)
    idle = resident()
    print(json.dumps({"idle_mb": idle, "check": side.check()}), flush=True)
    for line in sys.stdin:
        if line.strip() != "run":
            break
        ms = side.timed()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"ms": ms, "peak_mb": peak}), flush=True)


if __name__ == "__main__":
    main()
