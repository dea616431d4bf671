// The official Node SDKs against a gateway whose providers speak other APIs than they do; test_pairs_node.py started it.
// In: TOLLGATE_E2E, JSON {url, key}; the models are named after their providers. Out: TAP.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

const { url, key } = JSON.parse(process.env.TOLLGATE_E2E);
const question = 'How does a toll bridge know who has paid?';
const place = { type: 'object', properties: { place: { type: 'string' } }, required: ['place'], additionalProperties: false };
const names = ['weather', 'clock'];
const text = 'What is asked about a place';

const steered = (steering) => ({ headers: { 'x-simulate': steering } });
const openai = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0, timeout: 45_000 });
const anthropic = new Anthropic({ apiKey: key, baseURL: url, maxRetries: 0, timeout: 45_000 });

// What each client's API needs to ask, and to hand back: {text, calls: [{name, arguments}], turns, usage}.
const clients = {
  chat: {
    user: (content) => [{ role: 'user', content }],
    tools: names.map((name) => ({ type: 'function', function: { name, description: text, parameters: place, strict: true } })),
    async ask(model, messages, tools, steering, stream) {
      const body = { model, messages, ...(tools && { tools }) };
      const answer = stream
        ? await openai.chat.completions
            .stream({ ...body, stream_options: { include_usage: true } }, steered(steering))
            .finalChatCompletion()
        : await openai.chat.completions.create(body, steered(steering));
      const { message } = answer.choices[0];
      const calls = (message.tool_calls ?? []).map((call) => ({
        name: call.function.name, arguments: JSON.parse(call.function.arguments), id: call.id,
      }));
      const back = { role: 'assistant', content: message.content };
      if (calls.length) {
        back.tool_calls = message.tool_calls.map(({ id, type, function: { name, arguments: given } }) => ({
          id, type, function: { name, arguments: given },
        }));
      }
      const results = calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'rain' }));
      return { text: message.content ?? '', calls, turns: [...messages, back, ...results], usage: answer.usage.total_tokens };
    },
    async pieces(model, messages) {
      let said = '';
      for await (const chunk of await openai.chat.completions.create({ model, messages, stream: true })) {
        said += chunk.choices[0]?.delta?.content ?? '';
      }
      return said;
    },
    failing: (model, steering) =>
      openai.chat.completions.create({ model, messages: [{ role: 'user', content: question }] }, steered(steering)),
    errors: OpenAI,
  },
  responses: {
    user: (content) => [{ role: 'user', content }],
    tools: names.map((name) => ({ type: 'function', name, description: text, parameters: place, strict: true })),
    async ask(model, input, tools, steering, stream) {
      const body = { model, input, store: false, ...(tools && { tools }) };
      const answer = stream
        ? await openai.responses.stream(body, steered(steering)).finalResponse()
        : await openai.responses.create(body, steered(steering));
      const asked = answer.output.filter((item) => item.type === 'function_call');
      const calls = asked.map((item) => ({ name: item.name, arguments: JSON.parse(item.arguments) }));
      const results = asked.map((item) => ({ type: 'function_call_output', call_id: item.call_id, output: 'rain' }));
      const back = answer.output.map(({ parsed_arguments: _, ...item }) => item);
      return { text: answer.output_text, calls, turns: [...input, ...back, ...results], usage: answer.usage.total_tokens };
    },
    async pieces(model, input) {
      let said = '';
      for await (const event of await openai.responses.create({ model, input, stream: true })) {
        if (event.type === 'response.output_text.delta') said += event.delta;
      }
      return said;
    },
    failing: (model, steering) => openai.responses.create({ model, input: question }, steered(steering)),
    errors: OpenAI,
  },
  messages: {
    user: (content) => [{ role: 'user', content }],
    tools: names.map((name) => ({ name, description: text, input_schema: place })),
    async ask(model, messages, tools, steering, stream) {
      const body = { model, messages, max_tokens: 4000, ...(tools && { tools }) };
      const answer = stream
        ? await anthropic.messages.stream(body, steered(steering)).finalMessage()
        : await anthropic.messages.create(body, steered(steering));
      const asked = answer.content.filter((block) => block.type === 'tool_use');
      const calls = asked.map((block) => ({ name: block.name, arguments: block.input }));
      const results = asked.map((block) => ({ type: 'tool_result', tool_use_id: block.id, content: 'rain' }));
      const turns = [...messages, { role: 'assistant', content: answer.content }];
      if (results.length) turns.push({ role: 'user', content: results });
      const said = answer.content.filter((block) => block.type === 'text').map((block) => block.text).join('');
      return { text: said, calls, turns, usage: answer.usage.input_tokens + answer.usage.output_tokens };
    },
    async pieces(model, messages) {
      let said = '';
      const body = { model, messages, max_tokens: 4000, stream: true };
      for await (const event of await anthropic.messages.create(body)) {
        if (event.type === 'content_block_delta') said += event.delta.text ?? '';
      }
      return said;
    },
    failing: (model, steering) =>
      anthropic.messages.create({ model, max_tokens: 50, messages: [{ role: 'user', content: question }] }, steered(steering)),
    errors: Anthropic,
  },
};
const providers = ['chat', 'responses', 'compatible', 'anthropic', 'gemini', 'bedrock'];

for (const [name, client] of Object.entries(clients)) {
  for (const provider of providers) {
    test(`${name} before ${provider}: a text, whole and streamed`, async () => {
      const whole = await client.ask(provider, client.user(question), undefined, 'tokens=40', false);
      assert.ok(whole.text && whole.usage > 0 && !whole.calls.length);
      const streamed = await client.ask(provider, client.user(question), undefined, 'tokens=40', true);
      assert.equal(streamed.text, whole.text);
      assert.equal(streamed.usage, whole.usage);
      assert.ok(await client.pieces(provider, client.user(question)));
    });

    for (const stream of [false, true]) {
      test(`${name} before ${provider}: tools and their results, ${stream ? 'streamed' : 'whole'}`, async () => {
        const asked = await client.ask(provider, client.user(question), client.tools, 'tools=2', stream);
        assert.deepEqual(asked.calls.map((call) => call.name), names);
        for (const call of asked.calls) assert.ok(Object.keys(call.arguments).length);
        const { text: understood } = await client.ask(provider, asked.turns, client.tools, 'echo', stream);
        const parts = JSON.parse(understood).turns.flatMap((turn) => turn.parts);
        assert.deepEqual(parts.map((part) => Object.keys(part)[0]), ['text', 'call', 'call', 'result', 'result']);
        assert.deepEqual(parts.slice(1, 3).map(({ call }) => call.arguments), asked.calls.map((call) => call.arguments));
      });
    }

    for (const [steering, raised] of [
      ['status=400', 'BadRequestError'],
      ['status=429', 'RateLimitError'],
      ['status=500', 'InternalServerError'],
      ['context=5', 'BadRequestError'],
    ]) {
      test(`${name} before ${provider}: ${steering} raises ${raised}`, async () => {
        await assert.rejects(client.failing(provider, steering), (error) => {
          assert.ok(error instanceof client.errors[raised], `${error?.constructor?.name}: ${error?.message}`);
          return true;
        });
      });
    }
  }
}
