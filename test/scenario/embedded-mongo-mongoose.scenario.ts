import { createConnection, type Connection, Schema, Types } from 'mongoose';
import { ServerProcess } from './embedded-mongo/server-process';

const server = new ServerProcess();
let connection: Connection;

beforeAll(async () => {
  await server.start();
  connection = await createConnection(server.uri, { dbName: 'app' }).asPromise();
});
afterAll(async () => {
  await connection.close();
  await server.dispose();
});

test('mongoose runs unmodified', async () => {
  const Team = connection.model('Team', new Schema({ name: { type: String, unique: true } }));
  const schema = new Schema(
    {
      email: String,
      state: { type: String, default: 'pending' },
      team: { type: Types.ObjectId, ref: 'Team' },
      steps: [{ name: String, done: { type: Boolean, default: false } }],
      visits: { type: Number, default: 0 },
    },
    { timestamps: true, optimisticConcurrency: true },
  );
  schema.index({ email: 1 }, { unique: true, partialFilterExpression: { state: 'active' } });
  const User = connection.model('User', schema);
  await Promise.all([Team.init(), User.init()]);

  const team = await Team.create({ name: 'core' });
  await expect(Team.create({ name: 'core' })).rejects.toMatchObject({ code: 11000, keyPattern: { name: 1 } });
  const ada = await User.create({ email: 'a@x', team, steps: [{ name: 'one' }, { name: 'two' }] } as object);
  await User.create({ email: 'a@x' });
  await User.updateOne({ _id: ada._id }, { state: 'active' });
  await expect(User.updateMany({ email: 'a@x' }, { state: 'active' })).rejects.toMatchObject({ code: 11000 });

  const moved = await User.findOneAndUpdate(
    { _id: ada._id, state: 'active' },
    { $inc: { visits: 1 }, $set: { 'steps.$[s].done': true } },
    { arrayFilters: [{ 's.name': 'two' }], returnDocument: 'after' },
  );
  expect(moved?.visits).toBe(1);
  expect(moved?.steps.map(({ done }) => done)).toEqual([false, true]);
  expect(await User.findOneAndUpdate({ _id: ada._id, state: 'pending' }, { state: 'ended' })).toBeNull();

  const populated = await User.findOne({ state: 'active' }).populate<{ team: { name: string } }>('team').orFail();
  expect(populated.team.name).toBe('core');
  populated.visits = 5;
  await populated.save();

  const bulk = await User.bulkWrite([
    { insertOne: { document: { email: 'b@x' } as never } },
    { updateMany: { filter: {}, update: { $inc: { visits: 1 } } as never } },
    { deleteOne: { filter: { email: 'b@x' } } },
  ]);
  expect([bulk.insertedCount, bulk.modifiedCount, bulk.deletedCount]).toEqual([1, 3, 1]);
  expect(
    await User.aggregate([{ $group: { _id: '$state', visits: { $sum: '$visits' } } }, { $sort: { _id: 1 } }]),
  ).toEqual([
    { _id: 'active', visits: 6 },
    { _id: 'pending', visits: 1 },
  ]);
  expect(await User.exists({ email: 'nobody' })).toBeNull();
  const streamed: string[] = [];
  for await (const user of User.find().sort({ _id: 1 }).cursor()) streamed.push(user.state);
  expect(streamed).toEqual(['active', 'pending']);
});
