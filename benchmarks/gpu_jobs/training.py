"""Train a transformer with 6 layers of 256 for some steps."""

import torch

STEPS = 2000

torch.set_num_threads(1)
print("devices", torch.cuda.device_count(), flush=True)
layer = torch.nn.TransformerEncoderLayer(256, 8, 1024, dropout=0.0, batch_first=True)
model = torch.nn.TransformerEncoder(layer, 6, enable_nested_tensor=False).cuda()
optimizer = torch.optim.Adam(model.parameters())
inputs = torch.randn(16, 64, 256, device="cuda")
for step in range(STEPS):
    loss = (model(inputs) - inputs.flip(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 500 == 0:
        print(f"step {step} loss {loss.item():.4f}", flush=True)
torch.cuda.synchronize()
print("done")
