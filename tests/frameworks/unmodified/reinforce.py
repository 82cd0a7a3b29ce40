"""Learn to balance a pole with REINFORCE."""

import argparse
import os
import time
from itertools import count

import gymnasium as gym
import numpy as np
import torch
from tensorboardX import SummaryWriter
from torch import nn, optim
from torch.distributions import Categorical

parser = argparse.ArgumentParser(description="REINFORCE on CartPole")
parser.add_argument("--gamma", type=float, default=0.99)
parser.add_argument("--seed", type=int, default=543)
parser.add_argument("--episodes", type=int, default=30)
parser.add_argument("--log-interval", type=int, default=5)
args = parser.parse_args()

env = gym.make("CartPole-v1")
torch.manual_seed(args.seed)
run_name = f"CartPole-v1__{args.seed}__{int(time.time())}"
writer = SummaryWriter(f"runs/{run_name}")
policy = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = optim.Adam(policy.parameters(), lr=1e-2)


def play():
    state, _ = env.reset(seed=args.seed)
    log_probs, rewards = [], []
    for _ in count():
        logits = policy(torch.tensor(state.tolist()))
        choice = Categorical(logits=logits)
        action = choice.sample()
        state, reward, terminated, truncated, _ = env.step(action.item())
        log_probs.append(choice.log_prob(action))
        rewards.append(float(reward))
        if terminated or truncated or len(rewards) >= 200:
            return log_probs, rewards


running, returns = 10.0, []
for episode in range(1, args.episodes + 1):
    log_probs, rewards = play()
    value, discounted = 0.0, []
    for reward in reversed(rewards):
        value = reward + args.gamma * value
        discounted.insert(0, value)
    targets = torch.tensor(discounted)
    targets = (targets - targets.mean()) / (targets.std() + 1e-6)
    loss = -(torch.stack(log_probs) * targets).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    running = 0.05 * sum(rewards) + 0.95 * running
    returns.append(sum(rewards))
    writer.add_scalar("charts/episodic_return", sum(rewards), episode)
    writer.add_scalar("losses/policy_loss", loss.item(), episode)
    if episode % args.log_interval == 0:
        print(f"Episode {episode}\tLast reward: {sum(rewards):.2f}\tAverage reward: {running:.2f}")
        os.makedirs("checkpoints", exist_ok=True)
        torch.save(policy.state_dict(), f"checkpoints/policy_{episode}.pt")
    np.save("returns.npy", np.array(returns))
writer.close()
