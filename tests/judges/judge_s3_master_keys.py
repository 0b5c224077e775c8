"""S3's own keys over the years, by boto3: what was written before a rotation is read after it."""

import unittest

from server import Judge


class MasterKeys(Judge):
    OPTIONS = ("--clock-control",)

    def test_objects_of_every_year_stay_readable(self):
        """S21.9: the service rotates its own key by itself; nobody sees it, and nothing is lost by it."""
        s3 = self.server.client("s3")
        s3.create_bucket(Bucket="years")
        written = {}
        for year in range(4):
            # One that lies in a row and one that is a file of its own.
            for name, body in [(f"small-{year}", b"s" * 100), (f"large-{year}", b"l" * 300_000)]:
                answer = s3.put_object(Bucket="years", Key=name, Body=body)
                self.assertEqual(answer["ServerSideEncryption"], "AES256")
                written[name] = body
            self.server.ringwork("clock", "advance", "366d")
        upload = s3.create_multipart_upload(Bucket="years", Key="across")["UploadId"]
        named = {"Bucket": "years", "Key": "across", "UploadId": upload}
        parts = []
        for number, octet in (1, b"a"), (2, b"b"):
            tag = s3.upload_part(**named, PartNumber=number, Body=octet * (5 << 20))["ETag"]
            parts.append({"PartNumber": number, "ETag": tag})
            self.server.ringwork("clock", "advance", "366d")
        s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
        written["across"] = b"a" * (5 << 20) + b"b" * (5 << 20)
        for when in "running", "started again":
            for name, body in written.items():
                with self.subTest(when, name=name):
                    self.assertEqual(s3.get_object(Bucket="years", Key=name)["Body"].read(), body)
            if when == "running":
                self.server.stop()
                self.server.start()
                s3 = self.server.client("s3")


if __name__ == "__main__":
    unittest.main()
